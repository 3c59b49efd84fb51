"""What a network computes is told by a digest: another for other code, one in every process."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.packing import segments
from paenet.training.examples.describing import digests

EXAMPLE = torch.zeros(1, 3, 8, 8)


def network(*between: nn.Module, stride: int = 1, padding: int = 0) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=stride, padding=padding),
        *between,
        nn.Conv2d(4, 5, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(5, 2),
    )


def told(whole: nn.Module, *names: str) -> str:
    """Of all up to the last of some splits, cut at each of them."""
    parts = segments(whole, EXAMPLE, names)
    return digests(dict(zip(names, parts, strict=False)))[names[-1]]


def told_whole(whole: nn.Module) -> str:
    return told(whole, list(dict(whole.named_children()))[-1])


class Functions(nn.Module):
    """Computes with a tensor, a number and a function that are in no state dict."""

    def __init__(self, shift: float = 1.0, power: int = 2, pool: str = "max_pool2d") -> None:
        super().__init__()
        self.shift, self.power, self.pool = shift, power, pool

    def forward(self, x: Tensor) -> Tensor:
        x = x + torch.full((1,), self.shift, device=x.device)
        x = getattr(functional, self.pool)(x, 2)
        x.pow_(self.power)
        return x[:, :, :1]


OTHERS = {
    "activation": network(nn.ReLU()),
    "other activation": network(nn.Tanh()),
    "setting": network(nn.LeakyReLU(0.1)),
    "other setting": network(nn.LeakyReLU(0.2)),
    "setting that repr leaves out": network(nn.AvgPool2d(3, padding=1, ceil_mode=True)),
    "other such setting": network(nn.AvgPool2d(3, padding=1)),
    "stride": network(stride=2),
    "padding": network(padding=1),
    "functions": network(Functions()),
    "other constant": network(Functions(shift=2.0)),
    "other argument": network(Functions(power=3)),
    "other function": network(Functions(pool="avg_pool2d")),
}


def test_networks_of_the_same_tensors_that_compute_something_else_are_told_apart() -> None:
    assert len({told_whole(whole) for whole in OTHERS.values()}) == len(OTHERS)


@pytest.mark.parametrize("name", OTHERS)
def test_it_does_not_matter_where_parts_are_cut_nor_what_the_weights_are(name: str) -> None:
    whole = OTHERS[name]
    found = told_whole(whole)
    last = list(dict(whole.named_children()))[-1]
    convolution = str(int(last) - 3)
    for parameter in whole.parameters():
        parameter.data += 1
    assert told(whole, "0", convolution, last) == found
    assert told(whole, convolution) != found


def test_a_layer_that_is_no_graph_is_told_by_its_settings() -> None:
    layers = (nn.Flatten(), nn.Flatten(2), nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1, stride=2))
    assert len({digests({"layer": layer})["layer"] for layer in layers}) == len(layers)


@pytest.mark.slow
def test_another_process_tells_the_same() -> None:
    code = (
        "from tests.training.examples.test_describing import *\n"
        "print(*(told_whole(whole) for whole in OTHERS.values()))"
    )
    command = [sys.executable, "-c", code]
    other = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert other == [told_whole(whole) for whole in OTHERS.values()]
