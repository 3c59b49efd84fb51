"""Weights of every sort that a pack may hold, for property tests."""

from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor

from tests.packfile.grids import GRIDS

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64]
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
SHAPES = [(3, 4), (1, 1), (5, 2, 3, 3), (7, 40), (0, 3), (3, 0), (2, 1, 1), (64, 3)]


@dataclass(frozen=True, eq=False)
class Layer:
    """Some weights and who owns them: 0 where none, else slot 1, 2 or 3."""

    theta: Tensor
    owner: Tensor


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal to the last bit, signs of zeros included."""
    kind = INTEGERS[one.element_size()]
    return one.dtype == other.dtype and torch.equal(one.view(kind), other.view(kind))


def any_finite(shape: tuple[int, ...], dtype: torch.dtype, random: torch.Generator) -> Tensor:
    """Finite values of any bits: of every exponent, denormal, and zeros of both signs."""
    bits = torch.randint(0, 256, (*shape, dtype.itemsize), generator=random, dtype=torch.uint8)
    values = bits.view(dtype).reshape(shape)
    smallest = torch.finfo(dtype).smallest_normal
    kind = torch.randint(0, 8, shape, generator=random)
    values = torch.where(values.isfinite(), values, torch.tensor(1.5, dtype=dtype))
    values = torch.where(kind == 0, values * 0, values)  # with the sign that it had
    return torch.where(kind == 1, torch.tensor(smallest / 2, dtype=dtype), values)


@st.composite
def layers(draw: st.DrawFn, dtype: torch.dtype, many: int = 3) -> list[Layer]:
    """Layers of one pack, of any density, with values of any kind."""
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    grid = GRIDS[draw(st.sampled_from(sorted(GRIDS)))]
    strange = draw(st.booleans())
    found = []
    for shape in draw(st.lists(st.sampled_from(SHAPES), min_size=1, max_size=many)):
        density = draw(st.sampled_from([0, 0.05, 0.5, 1]))
        values = torch.randn(shape, generator=random).to(dtype)
        if strange:
            values = any_finite(shape, dtype, random)
        elif values.numel():
            values = grid(values)
        owner = torch.randint(1, 4, shape, generator=random)
        owner[torch.rand(shape, generator=random) >= density] = 0
        theta = torch.where(owner > 0, values, torch.zeros((), dtype=dtype))
        found.append(Layer(theta, owner.to(torch.uint8)))
    return found
