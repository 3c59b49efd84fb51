"""Comparisons: methods on equal terms, and what each reaches and costs."""

from paenet.training.comparison.compare import FILE, compare

__all__ = ["FILE", "compare"]
