"""Who owns each weight, and what it is worth: between a pack's layers and a task's streams."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paenet.packfile import planes
from paenet.packfile.codings import CODINGS, Mask, Owned, smallest
from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import Bytes, Stream
from paenet.packing import PackedLayer
from paenet.packing.pack import FREE

OWNERS = "owners"  # the stream of a task's bit planes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A task's weights as streams.

    Attributes:
        coding: of its values.
        streams: what each holds, by the last part of its name.
    """

    coding: str
    streams: dict[str, list[Bytes]]


def encode(layers: Sequence[PackedLayer], slots: Sequence[int]) -> dict[int, Encoded]:
    """The weights of every task.

    Args:
        layers: in the order of their names.
        slots: of the tasks, in their order.
    """
    found = {}
    open_to = [torch.ones_like(layer.owner, dtype=torch.bool) for layer in layers]
    for slot in slots:
        owners: list[Bytes] = []
        owned: list[Owned] = []
        for layer, places in zip(layers, open_to, strict=True):
            mine = layer.owner == slot
            owners.append(planes.pack_bits(mine[places].numpy()))
            owned.append(Owned(layer.theta[mine], Mask(mine)))
            places.logical_and_(~mine)
        coding = smallest(owned, owned[0].values.dtype)
        streams: dict[str, list[Bytes]] = {OWNERS: owners, **{part: [] for part in coding.parts}}
        for layer_owned in owned:
            for part, arrays in coding.encode(layer_owned).items():
                streams[part] += arrays
        found[slot] = Encoded(coding.name, streams)
    return found


def decode_owners(owner: Tensor, slot: int, stream: Stream) -> Tensor:
    """Takes one layer's plane of a task from its stream, and enters the task in `owner`.

    Args:
        owner: uint8, what earlier tasks own; changed in place.

    Returns:
        The mask of the task's weights, bool.

    Raises:
        PackFileError: where the stream is damaged or not as it must be.
    """
    flat = owner.reshape(-1).numpy()
    places = flat == FREE
    count = int(np.count_nonzero(places))
    packed = stream.take(-(-count // 8))
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise PackFileError(f"stream {stream.name!r} is not filled with zeros; make the file again")
    mine = planes.unpack_bits(packed, count)
    if count < len(flat):
        among, mine = mine, np.zeros(len(flat), np.bool_)
        mine[places] = among
    flat[mine] = slot
    return torch.from_numpy(mine).view(owner.shape)


def decode_values(
    mine: Tensor, coding: str, streams: Mapping[str, Stream], dtype: torch.dtype
) -> Tensor:
    """Takes the values of one layer from a task's streams.

    Args:
        mine: the task's weights there, bool.

    Returns:
        `(n,)` in the order of their places.

    Raises:
        PackFileError: where a stream is damaged.
    """
    return CODINGS[coding].decode(streams, Mask(mine), dtype)


def scatter(target: Tensor, mine: Tensor, values: Tensor) -> None:
    """Puts values at the places of a mask, in place."""
    # Three times as fast as torch's own; as integers, because numpy has no bfloat16.
    bits = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[target.element_size()]
    target.view(bits).numpy()[mine.numpy()] = values.view(bits).numpy()


def entropy(layers: Sequence[PackedLayer], slots: Sequence[int]) -> Iterator[float]:
    """Bytes of the order-0 entropy of each task's owner maps, layer by layer.

    That of a weight having this owner, given that no earlier task has it.
    """
    left = [layer.owner.numel() for layer in layers]
    for slot in slots:
        bits = 0.0
        for index, layer in enumerate(layers):
            mine = int((layer.owner == slot).sum())
            bits += left[index] * _binary_entropy(mine / left[index]) if left[index] else 0.0
            left[index] -= mine
        yield bits / 8


def _binary_entropy(share: float) -> float:
    p = np.array([share, 1 - share])
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())
