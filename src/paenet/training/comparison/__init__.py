"""Comparisons: methods on equal terms, and what each reaches and costs."""

from paenet.training.comparison.compare import compare
from paenet.training.comparison.report import FILE
from paenet.training.comparison.terms import on_equal_terms, recipes_of

__all__ = ["FILE", "compare", "on_equal_terms", "recipes_of"]
