"""A twin is what `copy.deepcopy` would have made."""

import copy

import pytest
import torch
from torch import Tensor, fx, nn

from paenet.packing.twins import twin


class Shared(nn.Module):
    """One layer under two names, a table of its own, and an absent part."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = self.first
        self.absent: nn.Module | None = None
        self.register_module("none", None)
        self.register_buffer("factor", torch.ones(3))
        self.table = {"step": [1, 2]}

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) * self.factor


NETWORKS = {
    "shared": Shared(),
    "norms": nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.PReLU()),
    "own-way-of-copying": nn.Sequential(fx.symbolic_trace(nn.Sequential(nn.Linear(3, 3)))),
    "own-state": nn.GRU(3, 3),
}


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_it_computes_the_same_and_shares_nothing(network: nn.Module) -> None:
    made = twin(network, {})
    expected = copy.deepcopy(network).state_dict()
    assert list(made.state_dict()) == list(expected)
    for key, tensor in made.state_dict().items():
        assert torch.equal(tensor, expected[key])
        assert tensor.data_ptr() != network.state_dict()[key].data_ptr()
    assert [n for n, _ in made.named_modules()] == [n for n, _ in network.named_modules()]
    x = torch.randn(4, 3)
    ours, theirs = (n.eval()(x) for n in (made, network))
    for one, other in zip(ours, theirs, strict=True):
        assert torch.equal(one, other)


def test_what_is_one_stays_one() -> None:
    made = twin(NETWORKS["shared"], {})
    assert made.first is made.second
    assert made.table == {"step": [1, 2]}
    assert made.table["step"] is not NETWORKS["shared"].table["step"]


def test_hooks_of_the_twin_are_its_own() -> None:
    network = nn.Sequential(nn.Linear(3, 3))
    twin(network, {})[0].register_forward_hook(lambda *_: pytest.fail("called"))
    network(torch.zeros(1, 3))


def test_what_stands_in_for_a_tensor_takes_its_place() -> None:
    network, weight = nn.Linear(3, 3), nn.Parameter(torch.zeros(3, 3))
    assert twin(network, {id(network.weight): weight}).weight is weight
