"""Garbage collections: put off while much is made, and done once much is thrown away."""

import ctypes
import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_collections() -> Iterator[None]:
    """Thousands of new objects set off collections, which look at all of torch and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def give_back() -> None:
    """Gives the system memory back that nothing uses any more.

    glibc keeps what was freed for later, which after loading several networks is more than those
    in use take; other C libraries see to it themselves.
    """
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
