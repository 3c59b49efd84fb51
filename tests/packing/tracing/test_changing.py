"""What a traced network changes in place is what the network itself changes."""

import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paenet.packing import segments
from paenet.packing.stems import alters
from paenet.packing.tracing.changing import ANEW


class _Called(nn.Module):
    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function, self.flatten = function, nn.Flatten()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


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


MAY_BE_VIEWS = {
    "contiguous": lambda _, x: x.permute(0, 2, 3, 1).contiguous(),
    "in another order": lambda _, x: x.contiguous(memory_format=torch.channels_last),
    "reshape": lambda _, x: x.permute(0, 2, 3, 1).reshape(1, -1),
    "function": lambda _, x: torch.reshape(x.permute(0, 2, 3, 1), (1, -1)),
    "flatten": lambda _, x: torch.flatten(input=x.mT, start_dim=1),
    "ravel": lambda _, x: x.mT.ravel(),
    "layer": lambda self, x: self.flatten(x.mT),
    "view of a copy": lambda self, x: self.flatten(x.mT)[:, 1:],
    "type": lambda _, x: x.double(),
    "type by name": lambda _, x: x.to(torch.float16),
    "type of another": lambda _, x: x.type_as(torch.ones(1).double()),
}


@pytest.mark.parametrize("name", MAY_BE_VIEWS)
def test_a_change_of_what_may_be_a_view_counts_as_one_of_what_it_may_be_a_view_of(
    name: str,
) -> None:
    make, x = MAY_BE_VIEWS[name], torch.randn(1, 3, 4, 5)
    assert make(_Called(make), x).untyped_storage().data_ptr() != x.data_ptr()
    (changing,) = segments(_Called(lambda self, x: make(self, x).add_(1) + 1), x, [])
    (reading,) = segments(_Called(lambda self, x: make(self, x) + 1), x, [])
    assert alters(changing)
    assert not alters(reading)


def test_a_change_of_what_is_made_anew_is_none_of_what_it_is_made_of() -> None:
    (part,) = segments(
        _Called(lambda _, x: (x.mT * 2).flatten(1).add_(1) + 1), torch.ones(1, 2, 2), []
    )
    assert not alters(part)
