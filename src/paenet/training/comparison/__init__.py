"""Comparisons: methods on equal terms, and what each reaches and costs."""

from paenet.training.comparison.compare import compare
from paenet.training.comparison.report import FILE

__all__ = ["FILE", "compare"]
