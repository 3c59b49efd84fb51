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


@contextmanager
def clearing_up() -> Iterator[None]:
    """What is made meanwhile and no longer used goes back to the system at the end.

    Only then is there a collection, and only of what is new: all that torch consists of is left
    out. glibc keeps what was freed for later, which after loading several networks is more than
    those in use take; other C libraries see to it themselves.
    """
    leaves_out = gc.get_freeze_count() == 0  # else someone else does, and would lose it
    if leaves_out:
        gc.freeze()
    try:
        with no_collections():
            yield
    finally:
        gc.collect()
        if leaves_out:
            gc.unfreeze()
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
