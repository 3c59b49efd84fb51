"""Readers of published data sets, each in the layout that its owners distribute."""

from paenet.datasets.published.lfw import read_lfw_pairs
from paenet.datasets.published.registry import (
    PUBLISHED,
    Published,
    check_options,
    published,
    read_published,
)
from paenet.datasets.published.surveying import survey

__all__ = [
    "PUBLISHED",
    "Published",
    "check_options",
    "published",
    "read_lfw_pairs",
    "read_published",
    "survey",
]
