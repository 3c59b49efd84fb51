"""Who owns each weight, and what it is worth: between a pack's layers and a task's streams."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paenet.packfile import planes
from paenet.packfile.codings import Mask, Owned, smallest
from paenet.packfile.streams import Bytes, Stream
from paenet.packing import PackedLayer
from paenet.packing.channels import ChannelMaps
from paenet.packing.parts import owned_by
from paenet.packing.values import largest

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


def encode(
    layers: Sequence[PackedLayer],
    sees: Mapping[int, Collection[int]],
    channels: Mapping[int, Sequence[ChannelMaps]] | None = None,
) -> dict[int, Encoded]:
    """The weights of every task.

    Args:
        layers: in the order of their names.
        sees: for the slot of every task, in their order, the slots of the tasks whose weights it
            uses.
        channels: for the slot of every task that is narrower than the widest, where its channels
            lie in each layer.
    """
    found = {}
    open_to = [torch.ones_like(layer.owner, dtype=torch.bool) for layer in layers]
    for slot, others in sees.items():
        owners: list[Bytes] = []
        owned: list[Owned] = []
        maps = (channels or {}).get(slot, [None] * len(layers))
        for layer, places, at in zip(layers, open_to, maps, strict=True):
            mine = layer.owner == slot
            owners.append(planes.pack_bits(mine[places].numpy()))
            mask = Mask(mine.numpy().reshape(-1), mine.shape)
            owned.append(Owned(layer.theta[mine], mask, _seen(layer, mine, others, at)))
            places.logical_and_(~mine)
        coding = smallest(owned, owned[0].values.dtype)
        streams: dict[str, list[Bytes]] = {OWNERS: owners, **{part: [] for part in coding.parts}}
        for layer_owned in owned:
            for part, arrays in coding.encode(layer_owned).items():
                streams[part] += arrays
        found[slot] = Encoded(coding.name, streams)
    return found


def _seen(
    layer: PackedLayer, mine: Tensor, sees: Collection[int], at: ChannelMaps | None
) -> Tensor | None:
    """The largest magnitude in each output channel that a task sees; see `codings.Owned`."""
    if layer.theta.dtype != torch.float32 or not sees:
        return None  # on a grid by what it owns, if at all
    wide = torch.where(mine | owned_by(layer.owner, sees), layer.theta, 0.0)
    within = wide if at is None else at.narrow(wide)
    if not within.numel():
        return None
    magnitudes = largest(within)
    return magnitudes if at is None else at.place(magnitudes, wide.new_zeros(len(wide)))


class Owners:
    """Who owns the weights of a layer, plane by plane.

    Args:
        shape: of the layer's weight.
    """

    def __init__(self, shape: Sequence[int]) -> None:
        self._shape = tuple(shape)
        self._free = np.ones(math.prod(self._shape), np.bool_)  # who has them is not known so far
        self._left = len(self._free)

    def take(self, stream: Stream) -> Mask:
        """The weights of the next task, from its stream.

        Raises:
            PackFileError: where the stream is damaged or not as it must be.
        """
        bits = planes.take_bits(stream, self._left)
        if len(bits) == len(self._free):  # the first task's say it of every weight
            mine = bits
        else:
            mine = np.zeros_like(self._free)
            if not bits.any():  # as in its stem: no place need be looked for
                return Mask(mine, self._shape)
            done = 0
            for stretch, places in Mask(self._free, self._shape).places():
                chosen = places[bits[done : done + len(places)]]
                mine[stretch][chosen] = True
                done += len(places)
        self._free &= ~mine
        mask = Mask(mine, self._shape)
        self._left -= mask.count
        return mask


def scatter(target: Tensor, mask: Mask, values: Tensor) -> None:
    """Puts values at the places of a mask, in place; the target is contiguous."""
    if not len(values):
        return
    # As integers, because numpy has no bfloat16.
    bits = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[target.element_size()]
    flat, given = target.view(bits).numpy().reshape(-1), values.view(bits).numpy()
    done = 0
    for stretch, places in mask.places():
        flat[stretch][places] = given[done : done + len(places)]
        done += len(places)


def entropy(layers: Sequence[PackedLayer], slots: Sequence[int]) -> Iterator[float]:
    """Bytes of the order-0 entropy of each task's owner maps, layer by layer.

    That of a weight having this owner, given that no earlier task has it.
    """
    left = [layer.owner.numel() for layer in layers]
    for slot in slots:
        bits = 0.0
        for index, layer in enumerate(layers):
            mine = int((layer.owner == slot).sum())
            bits += left[index] * planes.binary_entropy(mine / left[index]) if left[index] else 0.0
            left[index] -= mine
        yield bits / 8
