"""Memory: what is freed is kept for the next step; a GPU's that ran out is said in words."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paenet.training.errors import RunError

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's numbers for what can be set


def keep_freed_memory() -> None:
    """Lets this process keep what it frees, and use it again: for processes that only train.

    glibc gives large blocks back to the system as soon as they are free. Every layer of every step
    asks for them again, and the system clears them, page by page: on a virtual machine up to a
    sixth of the time. Other C libraries see to it themselves.
    """
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(_MMAP_MAX, 0)
        set_option(_TRIM_THRESHOLD, 2**31 - 1)


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Says what there was no memory for.

    Raises:
        RunError: in place of torch's own error.
    """
    try:
        yield
    except torch.OutOfMemoryError:
        raise RunError(
            f"{what}: the GPU has not enough memory; lower budget.batch or budget.validate_batch, "
            "or let fewer runs share it"
        ) from None
