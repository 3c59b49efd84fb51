"""Which of the weights that a task sees it uses: between a pack's picks and a task's stream."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from paenet.packfile import planes
from paenet.packfile import tensors as named
from paenet.packfile.codings import Mask
from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import Bytes, Stream
from paenet.packfile.weights import scatter
from paenet.packing import PackWidth
from paenet.packing.parts import owned_by

PICKS = "picks"  # the stream of a task that picks


def encode(tensors: Mapping[str, Tensor], slot: int, sees: Collection[int]) -> list[Bytes]:
    """The content of a task's stream; empty where it has no pick.

    Args:
        tensors: of the whole pack, by name.
        slot: the task's.
        sees: the slots of the tasks that it sees.
    """
    return [planes.pack_bits(bits.numpy()) for bits in _bits(tensors, slot, sees)]


def entropy(tensors: Mapping[str, Tensor], slot: int, sees: Collection[int]) -> float:
    """Bytes of the order-0 entropy of a task's pick, layer by layer."""
    return sum(planes.entropy(bits) for bits in _bits(tensors, slot, sees))


def _bits(tensors: Mapping[str, Tensor], slot: int, sees: Collection[int]) -> Iterator[Tensor]:
    """Layer by layer `(n,)` bool: of each weight that the task sees whether it is used."""
    for layer in named.layers_of(tensors):
        picked = tensors.get(named.picked(slot, layer))
        if picked is None:
            continue
        yield picked[owned_by(tensors[named.owner(layer)], sees)]


def decode(stream: Stream, seen: Iterable[Mask], shape: Sequence[int]) -> Tensor:
    """Takes the pick of one layer from a task's stream.

    Args:
        seen: the weights of each task that the task sees.
        shape: of the layer's weight at the widest width.

    Returns:
        Bool of that shape: the seen weights that are used.

    Raises:
        PackFileError: where the stream is damaged or not as it must be.
    """
    mask = Mask.union(seen, shape)
    bits = torch.from_numpy(planes.take_bits(stream, mask.count))
    picked = torch.zeros(tuple(shape), dtype=torch.bool)
    scatter(picked, mask, bits)
    return picked


def narrowed(task: str, layer: str, width: PackWidth, wide: Tensor) -> Tensor:
    """The pick of a layer at the task's own width.

    Raises:
        PackFileError: where weights are picked that its network does not have.
    """
    found = width.narrow(layer, wide)
    beyond = int(np.count_nonzero(wide.numpy()) - np.count_nonzero(found.numpy()))
    if beyond:
        raise PackFileError(
            f"layer {layer!r}: task {task!r} picks {beyond} weights that its network does not "
            "have; make the file again"
        )
    return found
