"""A small network with places to split it, and what is fed to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.packing import Pack
from tests.packing.networks import packed, teach

TASKS = ("identity", "gender", "age", "expression")


class Blocks(nn.Module):
    """Three blocks with norms, one after the other."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        a = round(6 * width)
        self.first = _Block(3, 6)
        self.second = _Block(6, a)
        self.third = _Block(a, 8)
        self.last = nn.Linear(8, 6)
        self.norm = nn.BatchNorm1d(6)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.last(self.third(self.second(self.first(x))).mean((2, 3))))


class _Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(x)))


def images(count: int = 5) -> Tensor:
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(count))


def four_tasks() -> Pack:
    """A base, a task of its own, and two that share more and less of the base."""
    pack = packed(Blocks)
    teach(pack, "identity")
    teach(pack, "gender", stem="second")
    teach(pack, "age")
    teach(pack, "expression", stem="first", sees="all")
    return pack
