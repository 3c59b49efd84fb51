"""Splits drawn by hash: what a name draws depends on it alone, not on the others."""

from __future__ import annotations

import hashlib


def tenth(name: str) -> int:
    """One of ten parts, 0 to 9, each as likely as the others; the same on every machine."""
    # A name from a file system may hold bytes that are no UTF-8.
    data = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(data).digest()[:4], "big") % 10


def three_ways(name: str) -> str:
    """Train for eight tenths of all names, val for one, test for one."""
    return {8: "val", 9: "test"}.get(tenth(name), "train")


def two_ways(name: str) -> str:
    """Train for nine tenths of all names, val for one: where the test split is given."""
    return "val" if tenth(name) == 8 else "train"
