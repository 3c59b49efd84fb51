"""A constant that a traced network changes is the same at the start of every run."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from paenet.packing import segments, splits


class _Called(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _add_to_zeros(x: Tensor) -> Tensor:
    total = torch.zeros(2, 3)
    total += x
    return total * 2


def _read_again(x: Tensor) -> Tensor:
    total = torch.zeros(2, 3)
    doubled = total.add_(x) * 2
    return doubled + total


def _change_a_view(x: Tensor) -> Tensor:
    total = torch.zeros(4, 3).T[:, 1:3]
    total[:, 1].add_(x[0])
    return total @ x


CONSTANTS = {
    "sum": _add_to_zeros,
    "read again": _read_again,
    "view": _change_a_view,
    "not changed": lambda x: x + torch.ones(2, 3),
}


@pytest.mark.parametrize("name", CONSTANTS)
def test_a_constant_that_is_changed_is_made_anew_in_every_run(name: str) -> None:
    network, x = _Called(CONSTANTS[name]), torch.arange(6.0).view(2, 3)
    (part,) = segments(network, x, [])
    for _ in range(2):
        assert torch.equal(part(x), network(x))


def test_no_split_parts_a_constant_from_what_changes_it() -> None:
    class Totalling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.last = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x: Tensor) -> Tensor:
            total, ones = torch.zeros(3), torch.ones(3)
            y = self.first(x) + ones
            total.add_(y.sum(0))
            y = self.second(y + ones)
            return self.last(y) + total

    network, x = Totalling(), torch.randn(1, 3)
    assert list(splits(network, x)) == ["first", "last"]
    parts = segments(network, x, ["first", "last"])
    for _ in range(2):
        y = x
        for part in parts:
            y = part(y)
        assert torch.equal(y, network(x))
