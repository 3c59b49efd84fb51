"""A learner's network at another width: with more filters, or without whole channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from paenet.packing.channels import ChannelMaps, trace
from paenet.packing.errors import PackingError
from paenet.packing.layout import join
from paenet.packing.owned import OwnedWeight, own
from paenet.packing.stems import refuse_other_stem
from paenet.packing.widening import (
    Maps,
    Width,
    fresh_network,
    grow_private,
    place,
    skeleton_of,
    trace_growth,
)

if TYPE_CHECKING:
    from paenet.packing.learner import Learner
    from paenet.packing.pack import Pack


@dataclass(frozen=True, slots=True)
class Reshaped:
    """A network at another width.

    Attributes:
        backbone: trainable where the learner's was, and where channels are new.
        skeleton: it, without values.
        maps: where the channels of the narrower of the two lie in the wider one.
        claimed: per layer, how many weights the task can own.
    """

    backbone: nn.Module
    skeleton: nn.Module
    maps: Maps
    claimed: dict[str, int]


def widened(learner: Learner, pack: Pack, width: Width, seed: int) -> Reshaped:
    """The network with more filters, computing what it did. See `Learner.widen`."""
    wide = fresh_network(pack, width, seed)
    maps = trace_growth(learner.skeleton[0], wide, pack.example)
    if learner.split is not None:
        refuse_other_stem(learner.split, learner.skeleton[0], wide)
    private, claimed = learner.private(), dict(learner.claimed)
    wide.load_state_dict({**wide.state_dict(), **grow_private(private, wide.state_dict(), maps)})
    skeleton = skeleton_of(wide)
    for name, (theta, weight) in learner.owned().items():
        layer, grown = wide.get_submodule(name), maps[name]
        values = wide.get_parameter(join(name, "weight"))
        old = place(grown, torch.ones_like(weight.trainable), values)
        trainable = place(grown, weight.trainable, old) | ~old
        fixed = place(grown, weight.fixed, values)
        current = torch.where(weight.trainable, theta, 0.0)
        values.copy_(grown.place(current.cpu(), values.detach()))
        own(layer, trainable, fixed, _moved(weight, partial(place, grown, like=values)))
        claimed[name] += int((~old).sum())
    return Reshaped(wide, skeleton, maps, claimed)


def narrowed(learner: Learner, pack: Pack, width: Width, seed: int) -> Reshaped:
    """The network without some of its channels. See `Learner.narrow`."""
    if pack.example is None:
        raise PackingError(
            "taking channels away needs an example input: Pack(builder, example=images[:1])"
        )
    small = fresh_network(pack, width, seed)
    if learner.split is not None:
        refuse_other_stem(learner.split, learner.skeleton[0], small)
    private, owned = learner.private(), learner.owned()
    weights = {join(name, "weight"): weight(theta) for name, (theta, weight) in owned.items()}
    values = private | {key: weight.detach().cpu() for key, weight in weights.items()}
    skeleton = skeleton_of(small)
    maps = trace(skeleton, learner.skeleton[0], pack.example, values)
    kept = {key: maps[key.rpartition(".")[0]].narrow(value) for key, value in private.items()}
    small.load_state_dict({**small.state_dict(), **kept})
    claimed = {}
    for name, (theta, weight) in owned.items():
        channels = maps[name]
        trainable = channels.narrow(weight.trainable.cpu())
        small.get_parameter(join(name, "weight")).copy_(channels.narrow(theta.cpu()))
        fixed = channels.narrow(weight.fixed.cpu())
        own(small.get_submodule(name), trainable, fixed, _moved(weight, channels.narrow))
        claimed[name] = int(trainable.sum())
    return Reshaped(small, skeleton, maps, claimed)


def _moved(weight: OwnedWeight, move: Callable[[Tensor], Tensor]) -> nn.Parameter | None:
    """The scores of a layer at another width; 0 in new channels, where nothing is seen."""
    return None if weight.scores is None else nn.Parameter(move(weight.scores.detach().cpu()))


class Channels(nn.Module):
    """Where the channels of a narrowed network lie in the pack's: a part of a learner's state.

    They were chosen by weights that have been trained since, so nothing else could tell them.

    Args:
        maps: by layer.
        claimed: by packed layer, how many weights the task can own in these channels.
    """

    def __init__(self, maps: Maps, claimed: Mapping[str, int]) -> None:
        super().__init__()
        self._layers, self._packed = tuple(maps), tuple(claimed)
        self.register_buffer("_claimed", torch.tensor(list(claimed.values())))
        for layer, channels in maps.items():
            self.register_buffer(_buffer("outputs", layer), channels.outputs)
            self.register_buffer(_buffer("inputs", layer), channels.inputs)

    @property
    def claimed(self) -> dict[str, int]:
        """By packed layer, how many weights the task can own."""
        counts = self.get_buffer("_claimed").tolist()
        return dict(zip(self._packed, counts, strict=True))

    @property
    def maps(self) -> Maps:
        """They, on the processor."""

        def held(kind: str, layer: str) -> Tensor | None:
            tensor: Tensor | None = getattr(self, _buffer(kind, layer))
            return None if tensor is None else tensor.cpu()

        found: Maps = {}
        for layer in self._layers:
            outputs = held("outputs", layer)
            assert outputs is not None
            found[layer] = ChannelMaps(outputs, held("inputs", layer))
        return found


def _buffer(kind: str, layer: str) -> str:
    return f"{kind}/{layer.replace('.', '/')}"  # a buffer's name has no dots
