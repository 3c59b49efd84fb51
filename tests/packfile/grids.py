"""Values as the grids of `paenet.packing.values` leave them, one for every coding."""

from collections.abc import Callable

import torch
from torch import Tensor

Grid = Callable[[Tensor], Tensor]


def as_float(dtype: torch.dtype) -> Grid:
    """Values that a smaller float holds."""
    return lambda values: values.to(dtype).to(values.dtype)


def int8(values: Tensor) -> Tensor:
    """Whole numbers times a scale for each index of the first axis, the largest 127 scales."""
    largest = values.flatten(1).abs().amax(1).view(-1, *[1] * (values.dim() - 1))
    # Of twelve significant bits, so that 127 scales are exact and tell the scale.
    bits = (largest / 127).float().view(torch.int32)
    scale = ((bits + 0x800) & ~0xFFF).view(torch.float32).to(values.dtype)
    return (values / scale).nan_to_num(0).round().clamp(-127, 127) * scale + 0.0  # no -0.0


def codebook(bits: int) -> Grid:
    """As many different values as so many bits can tell apart."""

    def snap(values: Tensor) -> Tensor:
        table = torch.linspace(-0.7, 0.9, 2**bits, dtype=torch.float64).to(values.dtype)
        near = torch.arange(values.numel()) * 7 % len(table)
        return table[near].view(values.shape)

    return snap


def plain(values: Tensor) -> Tensor:
    """Values as training leaves them."""
    return values


GRIDS: dict[str, Grid] = {
    "float32": plain,
    "bfloat16": as_float(torch.bfloat16),
    "float16": as_float(torch.float16),
    "int8": int8,
    **{f"codebook{bits}": codebook(bits) for bits in range(1, 8)},
}
