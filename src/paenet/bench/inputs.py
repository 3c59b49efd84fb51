"""What networks are fed while they are timed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def random_images(count: int, shape: Sequence[int]) -> Tensor:
    """`(count, *shape)`, always the same ones, in channels-last order."""
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=torch.channels_last)


def image_order(network: nn.Module) -> nn.Module:
    """The network, its weights laid out in channels-last order."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
