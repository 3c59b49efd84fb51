"""What the registry knows of a backbone: plain data beside the architecture."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True, slots=True)
class BackboneInfo:
    """One backbone of the registry.

    Attributes:
        name: what recipes and packs call it.
        builder: makes the network; takes `width` (see `Width`) and the backbone's own arguments,
            all with defaults. A width may change channel counts only, never the output's size.
        size: side in pixels of the square input that it is meant for.
        mean, scale: of pixel values from 0 to 255; the network gets `(pixel - mean) / scale`.
        features: size of the output with default arguments; None where nobody said.
        layout: whose state-dict keys it has, in a few words.
    """

    name: str
    builder: Callable[..., nn.Module]
    size: int
    mean: float = 127.5
    scale: float = 128.0
    features: int | None = None
    layout: str = "its own"
