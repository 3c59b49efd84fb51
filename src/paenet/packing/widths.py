"""How wide a network must be to have so many times its weights, or such a part of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping

import torch

from paenet.packing.errors import PackingError
from paenet.packing.layout import join, layout_of
from paenet.packing.stems import Split
from paenet.packing.widening import Builder, Width


def width_for(builder: Builder, ratio: float, current: Width = 1.0) -> Width:
    """The width at which the backbone has `ratio` times the packed weights of `current`.

    Args:
        builder: takes a factor or, where `current` is a mapping, a factor per layer or block.
        ratio: above 1 to widen, between 0 and 1 to narrow.
        current: what the builder was given for the network that there is now.

    Returns:
        Another factor; or every factor of the mapping, multiplied by the same.

    Raises:
        PackingError: where `ratio` is none.
    """
    _refuse_no_ratio(ratio)

    def scaled(factor: float) -> Width:
        if isinstance(current, Mapping):
            return {name: factor * value for name, value in ({"*": 1.0} | dict(current)).items()}
        return factor * float(current)

    target = ratio * sum(weights_at(builder, current).values())
    found = _search(lambda f: sum(weights_at(builder, scaled(f)).values()), target, ratio)
    return scaled(found)


def width_above(
    builder: Builder, split: Split, ratio: float, current: Width = 1.0
) -> dict[str, float] | None:
    """The widths at which what follows a split has `ratio` times its packed weights.

    Args:
        builder: takes a factor for each layer or block (`{"block8": 1.5, "*": 1.0}`).
        split: up to where the network stays as wide as it is.
        ratio: above 1 to widen, between 0 and 1 to narrow.
        current: what the builder was given for the network that there is now.

    Returns:
        None where nothing that follows has a width of its own.

    Raises:
        PackingError: where `ratio` is none.
    """
    _refuse_no_ratio(ratio)
    now = dict(current) if isinstance(current, Mapping) else {"*": float(current)}
    weights = weights_at(builder, current)

    def widened(factor: float, blocks: Iterable[str]) -> dict[str, float]:
        return now | {block: factor * now.get(block, now.get("*", 1.0)) for block in blocks}

    def above(width: Width) -> int:
        return sum(n for name, n in weights_at(builder, width).items() if name not in split.layers)

    def widens(block: str) -> bool:
        try:
            wider = weights_at(builder, widened(2.0, [block]))
        except Exception:  # whatever a builder raises on a block that has no width of its own
            return False
        stays = all(wider[layer] == weights[layer] for layer in split.layers)
        return stays and sum(wider.values()) > sum(weights.values())

    blocks = [block for block in _blocks(weights, split.layers) if widens(block)]
    if not blocks:
        return None
    target = ratio * above(current)
    return widened(_search(lambda f: above(widened(f, blocks)), target, ratio), blocks)


def _refuse_no_ratio(ratio: float) -> None:
    if not 0 < ratio < math.inf or ratio == 1:
        raise PackingError(
            f"a width of {ratio} times the weights: give a ratio above 1 to widen (1.5 is half as "
            "much again), or between 0 and 1 to narrow"
        )


def _search(weights: Callable[[float], int], target: float, ratio: float) -> float:
    """The factor between 1 and `ratio` at which there are about `target` weights."""
    low, high = sorted((1.0, ratio))
    for _ in range(12):  # to a part in four thousand, finer than whole channels
        middle = (low + high) / 2
        low, high = (middle, high) if weights(middle) < target else (low, middle)
    return high


def _blocks(layers: Iterable[str], below: Iterable[str]) -> Iterator[str]:
    """The outermost blocks of layers that have none of those below a split in them."""
    apart = {prefix for layer in below for prefix in _prefixes(layer)}
    found = set()
    for layer in layers:
        block = next((prefix for prefix in _prefixes(layer) if prefix not in apart), None)
        if block is not None and block not in found:
            found.add(block)
            yield block


def _prefixes(layer: str) -> Iterator[str]:
    """`a`, `a.b`, `a.b.c` for `a.b.c`."""
    parts = layer.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))


def weights_at(builder: Builder, width: Width) -> dict[str, int]:
    """How many weights each packed layer has at a width."""
    with torch.device("meta"):
        network = builder(width)
    parameters = dict(network.named_parameters())
    return {name: parameters[join(name, "weight")].numel() for name in layout_of(network).packed}
