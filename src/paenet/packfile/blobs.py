"""A few tensors as one stream: norms, biases and slopes, heads, channel maps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from paenet.packfile import planes
from paenet.packfile.codings import FLOATS
from paenet.packfile.streams import Bytes, Stream

NATIVE = "float32"  # what the coding of a blob means for its float32 tensors: as they are
HALF = "bfloat16"  # they are told by their upper halves


def coding_of(tensors: Mapping[str, Tensor]) -> str:
    """`bfloat16` where that holds every float32 tensor exactly, else `float32`."""
    singles = _flat(tensors.values(), torch.float32)
    return HALF if torch.equal(singles.bfloat16().float(), singles) else NATIVE


def encode(tensors: Mapping[str, Tensor], coding: str) -> Iterator[Bytes]:
    """Tensors in the order of their names: floats by type, in byte planes, then the others."""
    ordered = [tensors[name] for name in sorted(tensors)]
    for dtype in FLOATS.values():
        values = _flat(ordered, dtype)
        yield from planes.split(values.to(_stored(dtype, coding)))
    for tensor in ordered:
        if not tensor.is_floating_point():
            yield planes.raw(tensor)


def decode(like: Mapping[str, Tensor], coding: str, stream: Stream) -> dict[str, Tensor]:
    """The tensors of a stream, which ends after them.

    Args:
        like: what they are called, and their types and shapes.
    """
    names = sorted(like)
    found: dict[str, Tensor] = {}
    for dtype in FLOATS.values():
        mine = [name for name in names if like[name].dtype == dtype]
        counts = [like[name].numel() for name in mine]
        stored = _stored(dtype, coding)
        split = [stream.take(sum(counts)) for _ in range(stored.itemsize)]
        values = planes.join(split, stored).to(dtype)
        for name, part in zip(mine, torch.split(values, counts), strict=True):
            found[name] = part.view(like[name].shape).clone()
    for name in names:
        if name not in found:
            content = stream.take(like[name].numel() * like[name].element_size())
            found[name] = planes.values_of(content, like[name].dtype).view(like[name].shape)
    stream.end()
    return found


def encode_maps(maps: Mapping[str, Tensor]) -> Iterator[Bytes]:
    """Channel maps in the order of their names, each channel as the step from the one before."""
    steps = [np.diff(maps[name].reshape(-1).numpy(), prepend=0) for name in sorted(maps)]
    octets = np.concatenate([np.empty(0, np.int64), *steps]).view(np.uint8).reshape(-1, 8)
    yield from (np.ascontiguousarray(octets[:, place]) for place in range(8))


def decode_maps(like: Mapping[str, Tensor], stream: Stream) -> dict[str, Tensor]:
    """The maps that `encode_maps` told; `like` gives their names and shapes."""
    names = sorted(like)
    counts = [like[name].numel() for name in names]
    octets = np.stack([stream.take(sum(counts)) for _ in range(8)], axis=1)
    steps = torch.split(torch.from_numpy(octets.reshape(-1).view(np.int64)), counts)
    stream.end()
    return {
        name: part.cumsum(0).view(like[name].shape) for name, part in zip(names, steps, strict=True)
    }


def _stored(dtype: torch.dtype, coding: str) -> torch.dtype:
    return FLOATS[coding] if dtype == torch.float32 else dtype


def _flat(tensors: Iterable[Tensor], dtype: torch.dtype) -> Tensor:
    parts = [t.detach().cpu().reshape(-1) for t in tensors if t.dtype == dtype]
    return torch.cat([torch.empty(0, dtype=dtype), *parts])
