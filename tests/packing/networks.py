"""Toy networks of every kind that a pack takes, and the promise that a pack makes about a task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.packing import Learner, Pack

FEATURES = 6
CLASSES = 3

Builder = Callable[[float], nn.Module]
MakeOptimizer = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


def scaled(count: int, width: float, multiple: int = 1) -> int:
    """`count` channels at `width`, a multiple of `multiple`."""
    return multiple * max(1, round(count * width / multiple))


class Residual(nn.Module):
    """Two sums into one stream: an identity and a projected shortcut."""

    def __init__(self, width: float) -> None:
        super().__init__()
        stream, inner = scaled(6, width), scaled(4, width)
        self.stem = nn.Conv2d(3, stream, 3, padding=1)
        self.inner = nn.Conv2d(stream, inner, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(inner)
        self.outer = nn.Conv2d(inner, stream, 1)
        self.shortcut = nn.Conv2d(3, stream, 1)
        self.last = nn.Linear(stream, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.stem(x))
        y = y + self.outer(functional.relu(self.norm(self.inner(y)))) + self.shortcut(x)
        return self.last(y.mean((2, 3)))


class Concatenation(nn.Module):
    """Branches side by side, the input among them, then one flattened into a linear layer."""

    def __init__(self, width: float) -> None:
        super().__init__()
        a, b = scaled(4, width), scaled(2, width)
        self.one = nn.Conv2d(3, a, 3, padding=1)
        self.two = nn.Conv2d(3, b, 1)
        self.norm = nn.BatchNorm2d(a + 3 + b)
        self.join = nn.Conv2d(a + 3 + b, b, 3, stride=4, padding=1)
        self.last = nn.Linear(b * 4, FEATURES)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.norm(torch.cat([self.one(x), x, self.two(x)], 1)))
        return self.last(functional.relu(self.join(y)).flatten(1))


def _ended(*layers: nn.Module, channels: int) -> nn.Sequential:
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, FEATURES)
    )


def batch_norm(width: float) -> nn.Module:
    a, b = scaled(6, width), scaled(8, width)
    return _ended(
        nn.Conv2d(3, a, 3, padding=1),
        nn.BatchNorm2d(a),
        nn.ReLU(),
        nn.Conv2d(a, b, 3, stride=2),
        nn.BatchNorm2d(b),
        nn.ReLU(),
        channels=b,
    )


def prelu(width: float) -> nn.Module:
    a, b = scaled(6, width), scaled(8, width)
    return _ended(
        nn.Conv2d(3, a, 3), nn.PReLU(a), nn.Conv2d(a, b, 3, stride=2), nn.PReLU(), channels=b
    )


def no_bias(width: float) -> nn.Module:
    a = scaled(8, width)
    return nn.Sequential(
        nn.Conv2d(3, a, 3, stride=2, bias=False),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(a * 9, FEATURES, bias=False),
    )


def grouped(width: float) -> nn.Module:
    a = scaled(8, width, multiple=2)
    return _ended(
        nn.Conv2d(3, a, 3, padding=1),
        nn.BatchNorm2d(a),
        nn.ReLU(),
        nn.Conv2d(a, a, 3, groups=2),
        nn.ReLU(),
        channels=a,
    )


def depthwise(width: float) -> nn.Module:
    a = scaled(6, width)
    return _ended(
        nn.Conv2d(3, a, 1),
        nn.PReLU(a),
        nn.Conv2d(a, a, 3, groups=a, bias=False),
        nn.BatchNorm2d(a),
        nn.Conv2d(a, a, 1),
        nn.ReLU(),
        channels=a,
    )


def group_norm(width: float) -> nn.Module:
    a = scaled(8, width, multiple=2)
    return _ended(nn.Conv2d(3, a, 3), nn.GroupNorm(a // 2, a), nn.ReLU(), channels=a)


def conv1d(width: float) -> nn.Module:
    a = scaled(6, width)
    return nn.Sequential(
        nn.Flatten(2),
        nn.Conv1d(3, a, 5, stride=3),
        nn.BatchNorm1d(a),
        nn.Tanh(),
        nn.AdaptiveMaxPool1d(1),
        nn.Flatten(),
        nn.Linear(a, FEATURES),
        nn.LayerNorm(FEATURES),
    )


def conv3d(width: float) -> nn.Module:
    a = scaled(4, width)
    return nn.Sequential(
        nn.Unflatten(1, (1, 3)),
        nn.Conv3d(1, a, 3),
        nn.BatchNorm3d(a),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(a * 36, FEATURES),
    )


# What the matrix of laws is about.
LAYERS: dict[str, Builder] = {
    "batch-norm": batch_norm,
    "prelu": prelu,
    "no-bias": no_bias,
    "grouped": grouped,
    "depthwise": depthwise,
}
# All of them, and the ways in which channels move about. `x.flatten(1)` to linear among them.
NETWORKS: dict[str, Builder] = {
    **LAYERS,
    "group-norm": group_norm,
    "conv1d-layer-norm": conv1d,
    "conv3d": conv3d,
    "residual": Residual,
    "concatenation": Concatenation,
}


class Standardised(nn.Conv2d):
    """A convolution with a forward of its own (Qiao et al., 2019, "Weight Standardization")."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class OverChannels(nn.LayerNorm):
    """The norm of images over their channels (Liu et al., 2022, "A ConvNet for the 2020s")."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Foreign(nn.Module):
    """Layers that are not called as torch's own are: two subclasses, and a weight that is read."""

    def __init__(self, _: float = 1.0) -> None:
        super().__init__()
        self.first, self.norm = Standardised(3, 4, 3), OverChannels(4)
        self.read, self.last = nn.Conv2d(4, 4, 3), nn.Linear(4, 6)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.read.weight
        y = functional.relu(self.norm(self.first(x)))
        y = functional.relu(functional.conv2d(y, weight, self.read.bias))
        return self.last(y.mean((2, 3)))


# What moves a weight whose gradient is zero: momentum, weight decay, or both.
OPTIMIZERS: dict[str, MakeOptimizer] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, weight_decay=0.05),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


def images(count: int = 6, seed: int = 0) -> Tensor:
    """Input of every toy network: `(count, 3, 8, 8)`."""
    return torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))


def packed(builder: Builder) -> Pack:
    """A pack that can widen."""
    return Pack(builder, example=images(1))


def head() -> nn.Module:
    return nn.Linear(FEATURES, CLASSES)


def train(
    learner: nn.Module,
    steps: int = 2,
    make: MakeOptimizer = OPTIMIZERS["sgd"],
    autocast: bool = False,
) -> None:
    """A few steps, as anybody's loop would take them."""
    learner.train()
    optimizer = make([p for p in learner.parameters() if p.requires_grad])
    dtype = next(p.dtype for p in learner.parameters())
    for step in range(steps):
        x = images(seed=100 + step).to(dtype)
        labels = torch.arange(len(x)) % CLASSES
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = functional.cross_entropy(learner(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def teach(pack: Pack, name: str, prune: float = 0.5, **arguments: object) -> Learner:
    """Learns, prunes and freezes a task; returns its learner."""
    learner = pack.learn(name, head=head(), **arguments)
    train(learner)
    learner.prune(to=prune)
    train(learner, steps=1)
    learner.freeze()
    return learner


@torch.no_grad()
def outputs(network: nn.Module, autocast: bool = False) -> Tensor:
    """What a network computes of the probe."""
    dtype = next(p.dtype for p in network.parameters())
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        return network.eval()(images(seed=7).to(dtype))


def backbone_outputs(network: nn.Module) -> Tensor:
    """The features that a learner or a materialised task gives its head."""
    return outputs(network.eval().get_submodule("backbone"))


@dataclass
class Promise:
    """What the tasks of a pack computed when they were learnt: they must compute it for ever."""

    autocast: bool = False
    made: dict[str, tuple[str, Tensor]] = field(default_factory=dict)

    def make(self, pack: Pack, name: str) -> None:
        self.made[name] = (pack.fingerprint(name), self._outputs(pack, name))

    def release(self, name: str) -> None:
        del self.made[name]

    def check(self, pack: Pack) -> None:
        """Asserts that the pack has these tasks, each as it was, bit for bit."""
        assert set(pack.tasks) == set(self.made)
        self.check_older(pack)

    def check_older(self, pack: Pack) -> None:
        """Asserts that each of these tasks has its fingerprint and its outputs, bit for bit."""
        for name, (fingerprint, expected) in self.made.items():
            assert pack.fingerprint(name) == fingerprint, f"{name} has another fingerprint"
            assert torch.equal(self._outputs(pack, name), expected), f"{name} computes otherwise"

    def _outputs(self, pack: Pack, name: str) -> Tensor:
        return outputs(pack.materialize(name), self.autocast)


def check_owners(pack: Pack) -> None:
    """Asserts that every owner is a task of the pack and that what is free is zero."""
    slots = {task.slot for task in pack.tasks.values()}
    assert len(slots) == len(pack.tasks)
    for name, layer in pack.layers.items():
        assert layer.owner.dtype == torch.uint8
        assert layer.owner.shape == layer.theta.shape
        assert set(layer.owner.unique().tolist()) <= slots | {0}, f"{name} has unknown owners"
        assert not layer.theta[layer.owner == 0].any(), f"{name} keeps what was freed"
