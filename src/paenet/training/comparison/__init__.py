"""Comparisons: methods on equal terms, and what each reaches and costs."""

from paenet.training.comparison.compare import compare

__all__ = ["compare"]
