"""What every tensor of a pack is called, and its type and shape: a stream of its own."""

import json
import math
from collections.abc import Mapping

import torch
from torch import Tensor

from paenet.packfile import strict_json
from paenet.packfile.errors import PackFileError, damaged
from paenet.packfile.streams import Bytes, Stream, text_of
from paenet.packfile.tensors import DTYPES

NAME = "shapes"
_LONGEST = 2**24  # bytes of JSON
_LEAST_JSON, _FACTOR_JSON = 2**16, 64  # at most so much of it: the first + the second * file size
_MOST_AXES = 16
_TYPES = {str(dtype).removeprefix("torch."): dtype for dtype in DTYPES}

# A reader allocates at most so much, whatever a file promises: LEAST + FACTOR * its size in bytes.
LEAST, FACTOR = 2**28, 4096


def encode(tensors: Mapping[str, Tensor]) -> list[Bytes]:
    """The table of some tensors."""
    table = {
        name: [str(tensors[name].dtype).removeprefix("torch."), list(tensors[name].shape)]
        for name in sorted(tensors)
    }
    return [text_of(json.dumps(table, separators=(",", ":")))]


def decode(stream: Stream, size: int, tasks: int, picks: int) -> dict[str, Tensor]:
    """The tensors of a table, without values (on the meta device).

    Args:
        size: of the whole file, to which what it promises is held.
        tasks: how many there are.
        picks: how many of them pick.

    Raises:
        PackFileError: where the table is damaged, or promises more than a file of that size may.
    """
    content = stream.rest(min(_LONGEST, _LEAST_JSON + _FACTOR_JSON * size)).tobytes()
    table = strict_json.parse(content, f"stream {NAME!r}")
    try:
        found = {name: _promised(*entry) for name, entry in table.items()}
    except (TypeError, ValueError, KeyError, RuntimeError):
        raise damaged(f"stream {NAME!r} holds something that is no type and shape") from None
    total = promised(found, tasks, picks)
    if total > most(size):
        raise PackFileError(
            f"promises {total:,} bytes of tensors in a file of {size:,}, which is "
            "refused; make the file again"
        )
    return found


def promised(tensors: Mapping[str, Tensor], tasks: int, picks: int) -> int:
    """The bytes that some tensors take while they are read; owner maps and picks are none of them.

    A weight's owner is one byte beside it, and so is each of `picks` bits that tasks have for it.
    In one layer at a time every task has a byte for each weight that says whether it is its own.

    An axis of no entries counts as one of one: what belongs to the others has its size too.
    """
    counts = {name: math.prod(max(axis, 1) for axis in t.shape) for name, t in tensors.items()}
    weights = {name for name in counts if name.startswith("theta.")}
    held = sum(
        count * (tensors[name].element_size() + (1 + picks) * (name in weights))
        for name, count in counts.items()
    )
    return held + tasks * max((counts[name] for name in weights), default=0)


def most(size: int) -> int:
    """How many bytes of tensors a file of that size may promise."""
    return LEAST + FACTOR * size


def _promised(kind: str, shape: list[int]) -> Tensor:
    if type(shape) is not list or len(shape) > _MOST_AXES:
        raise ValueError
    if not all(type(axis) is int and 0 <= axis < 2**40 for axis in shape):
        raise ValueError
    if math.prod(max(axis, 1) for axis in shape) >= 2**40:
        raise ValueError
    return torch.empty(shape, dtype=_TYPES[kind], device="meta")
