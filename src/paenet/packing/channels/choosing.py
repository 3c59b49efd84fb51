"""Which channels of a wide network a narrow one takes: those that pass on most."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from paenet.packing.channels.axes import Axis, Span, leaves
from paenet.packing.channels.layers import LayerAxes
from paenet.packing.layout import join


def choose_strongest(layers: Mapping[str, LayerAxes], values: Mapping[str, Tensor]) -> None:
    """Settles every span that is still open, by the channels' share of what later layers take in.

    A channel counts by the squares of the weights that take it in, times those of the norm's
    scale that it leaves its layer with (Liu et al., 2017, "Network Slimming", look at the scale
    alone); without a norm, times those of the weights that make it.

    Args:
        layers: the axes of every layer's tensors.
        values: the wide network's state.
    """
    taken, scaled, made = (defaultdict[Span, Tensor](_zero) for _ in range(3))
    for name, layer in layers.items():
        weight = values.get(join(name, "weight"))
        if weight is None:  # a norm without a scale
            continue
        energy = weight.detach().float().square()
        if layer.inputs:
            _add(made, layer.outputs, energy.flatten(1).sum(1))
            groups = energy.tensor_split(len(layer.inputs))
            for group, axis in zip(groups, layer.inputs, strict=True):
                _add(taken, axis, group.transpose(0, 1).flatten(1).sum(1))
        elif join(name, "bias") in values:  # the slopes of a PReLU have none
            _add(scaled, layer.outputs, energy)
    for span in {*taken, *made}:
        strength = (scaled[span] if span in scaled else made[span]) * taken[span].clamp_min(1e-30)
        best = strength.argsort(descending=True, stable=True)[: span.narrow]
        span.chosen = tuple(best.sort().values.tolist())


def _zero() -> Tensor:
    return torch.zeros(())


def _add(totals: dict[Span, Tensor], axis: Axis, energy: Tensor) -> None:
    """Adds what the entries of an axis have to the channels of its open spans."""
    for start, span, count in _open(axis):
        part = energy[start : start + count]
        totals[span] = totals[span] + part.reshape(span.wide, -1).sum(1)


def _open(axis: Axis) -> Iterator[tuple[int, Span, int]]:
    """The spans of which some channels must go, with their first entry and how many they have."""
    for start, segment in leaves(axis):
        if 0 < segment.span.narrow < segment.span.wide:
            yield start, segment.span, segment.sizes[1]
