"""What a traced network changes in place is what the network itself changes."""

import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paenet.packing import segments
from paenet.packing.tracing.changing import ANEW


class _TwoNames(nn.Module):
    def __init__(self, change: Any) -> None:
        super().__init__()
        self.change = change

    def forward(self, x: Tensor) -> Tensor:
        first = x + 0
        second = self.change(first, 3)
        return first - 10 * second


@pytest.mark.parametrize("change", ANEW)
def test_a_change_reaches_the_other_names_of_a_tensor(change: Any) -> None:
    x = torch.arange(1, 7).view(2, 3)
    network = _TwoNames(change)
    if change is operator.itruediv:
        x = x.double()
    (part,) = segments(network, x, [])
    assert torch.equal(part(x), network(x))


def test_a_change_of_a_transpose_is_one_too() -> None:
    class Transposed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            first = x + 0
            second = first.T
            second += 1
            return first * 2

    x = torch.randn(2, 3)
    (part,) = segments(Transposed(), x, [])
    assert torch.equal(part(x), (x + 1) * 2)


def test_a_size_that_is_counted_up_keeps_its_other_names() -> None:
    class Counting(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            height, width = x.shape
            both = height
            both *= width
            return x.reshape(both) * height

    x = torch.randn(2, 3)
    (part,) = segments(Counting(), x, [])
    assert torch.equal(part(x), Counting()(x))


def test_every_operator_of_a_tensor_that_works_in_place_is_known() -> None:
    known = {f"__{change.__name__}__" for change in ANEW}
    plain = {"__init__", "__init_subclass__", "__index__", "__int__", "__invert__", "__iter__"}
    python_2 = {"__idiv__"}
    assert {name for name in dir(Tensor) if name.startswith("__i")} - plain - python_2 == known
