"""The figures of finished runs in the paper's form, beside those that others have published."""

from paenet.training.reporting.literature import published_figures
from paenet.training.reporting.tables import report

__all__ = ["published_figures", "report"]
