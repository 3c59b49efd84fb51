"""A GPU's memory that ran out, said in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from paenet.training.errors import RunError


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
