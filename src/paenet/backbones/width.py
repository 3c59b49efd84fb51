"""How wide a backbone is, as data."""

import math
from collections.abc import Iterable, Mapping

from paenet.backbones.errors import BackboneError
from paenet.errors import suggest

Width = float | Mapping[str, float]
"""One factor for every layer, or a factor per name of a layer or of a block of layers.

A layer that a mapping does not name has the factor of the innermost block around it that has one
(``block8`` for ``block8.branch0``), else that of ``"*"`` (1.0 without it). Per-layer factors are
what MorphNet (Gordon et al., 2018) would choose; layers whose channel count another layer dictates
(the end of a residual branch) have no factor of their own.
"""


def channels(count: int, width: Width, layer: str) -> int:
    """The channel count of `layer`, which has `count` channels at width 1; at least 1.

    Raises:
        BackboneError: where the layer's factor is not a number above 0.
    """
    factor = _factor(width, layer) if isinstance(width, Mapping) else width
    if isinstance(factor, bool) or not isinstance(factor, int | float):
        raise _bad_factor(layer, factor)
    if not (math.isfinite(factor) and factor > 0):
        raise _bad_factor(layer, factor)
    return max(1, round(count * factor))


def _factor(width: Mapping[str, float], layer: str) -> object:
    """The factor of a layer, of the innermost block around it, or of all the others."""
    name = layer
    while name:
        if name in width:
            return width[name]
        name = name.rpartition(".")[0]
    return width.get("*", 1.0)


def count_of(argument: str, value: object) -> int:
    """The value of an argument that no width scales, such as the size of the output.

    Raises:
        BackboneError: where it is not a whole number from 1; names the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BackboneError(f"{argument}: {value!r} is not a whole number from 1")
    return value


class Channels:
    """Channel counts of a network that is being built; remembers who asked.

    Args:
        width: the network's.
    """

    def __init__(self, width: Width) -> None:
        self.width = width
        self._layers: set[str] = set()

    def __call__(self, layer: str, count: int) -> int:
        """The channel count of `layer`, which has `count` channels at width 1."""
        self._layers.add(layer)
        return channels(count, self.width, layer)

    def finish(self) -> None:
        """Call when every layer has asked.

        Raises:
            BackboneError: where the width names a layer that never did; names the nearest.
        """
        named: Iterable[str] = self.width if isinstance(self.width, Mapping) else ()
        for layer in named:
            known = layer in {"*", *self._layers}
            if known or any(name.startswith(f"{layer}.") for name in self._layers):
                continue
            raise BackboneError(
                f"width: {layer!r} is not a layer with a width of its own, nor a block of them"
                f"{suggest(layer, self._layers)}"
            )


def _bad_factor(layer: str, factor: object) -> BackboneError:
    return BackboneError(
        f"width: {factor!r} for layer {layer!r} is not a factor; give a number above 0 (1.5 is "
        "half as many channels again)"
    )
