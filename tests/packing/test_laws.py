"""What a task computes never changes once it is learnt, whatever is learnt after it, and how."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.packing import Pack
from tests.packing.networks import (
    CLASSES,
    LAYERS,
    OPTIMIZERS,
    Builder,
    MakeOptimizer,
    Promise,
    batch_norm,
    check_owners,
    head,
    images,
    outputs,
    packed,
    teach,
    train,
)


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("builder", LAYERS.values(), ids=LAYERS)
def test_adding_widening_and_removing_leave_older_tasks_bit_identical(
    builder: Builder, make: MakeOptimizer, autocast: bool
) -> None:
    pack = packed(builder)
    promise = Promise(autocast)

    def learn(name: str, sees: str, width: float | None = None, picks: bool = False) -> None:
        learner = pack.learn(name, head=head(), sees=sees, picks=picks)
        train(learner, 2, make, autocast)
        if width is not None:
            learner.widen(width)
            train(learner, 2, make, autocast)
        learner.prune(to=0.5)
        train(learner, 1, make, autocast)
        promise.check(pack)  # a learner does not touch the pack
        learned = outputs(learner, autocast)
        learner.freeze()
        promise.check_older(pack)
        promise.make(pack, name)
        assert torch.equal(promise.made[name][1], learned), f"{name} was stored otherwise"

    learn("identity", sees="base")
    learn("gender", sees="base", picks=True)
    learn("age", sees="all", width=1.5, picks=True)
    pack.remove("age")
    promise.release("age")
    promise.check(pack)
    learn("expression", sees="base", width=2.0)
    learn("smile", sees="all", picks=True)
    pack.remove("smile")
    promise.release("smile")
    pack.remove("gender")
    promise.release("gender")
    learn("pose", sees="none")
    promise.check(pack)
    check_owners(pack)


# How a network leaks whose frozen weights are parameters with their gradients set to zero.
LEAKS: dict[str, MakeOptimizer] = {
    "weight-decay": lambda p: torch.optim.SGD(p, lr=0.05, weight_decay=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01),
}
PLAIN: MakeOptimizer = lambda p: torch.optim.SGD(p, lr=0.05)  # noqa: E731


@pytest.mark.parametrize("make", LEAKS.values(), ids=LEAKS)
def test_the_check_is_alive_zeroing_gradients_fails_it(make: MakeOptimizer) -> None:
    with pytest.raises(AssertionError, match="identity has another fingerprint"):
        zero_gradients(make)


def test_the_check_blames_the_optimiser_not_the_gradients() -> None:
    zero_gradients(PLAIN)


def zero_gradients(make: MakeOptimizer) -> None:
    """Learns a second task the leaky way, with one optimiser for both, and checks the first."""
    pack = Pack(batch_norm(1.0))
    network = nn.Sequential()
    network.add_module("backbone", batch_norm(1.0))
    network.add_module("head", head())
    weights = {name: network.backbone.get_submodule(name).weight for name in pack.layers}
    optimizer = make(list(weights.values()))
    _step(network, optimizer, {})
    learner = pack.learn("identity", head=head())
    learner.prune(to=0.5)
    learner.freeze()
    promise = Promise()
    frozen: dict[nn.Parameter, Tensor] = {}
    for name, layer in pack.layers.items():
        frozen[weights[name]] = layer.owner == 1
        weights[name].data.copy_(layer.theta)
    promise.make(pack, "identity")
    for _ in range(2):
        _step(network, optimizer, frozen)
    for name, layer in pack.layers.items():
        layer.theta.copy_(weights[name].detach())
    promise.check(pack)


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, frozen: dict[nn.Parameter, Tensor]
) -> None:
    x = images()
    optimizer.zero_grad()
    functional.cross_entropy(network(x), torch.arange(len(x)) % CLASSES).backward()
    for parameter, mask in frozen.items():
        assert parameter.grad is not None
        parameter.grad[mask] = 0
    optimizer.step()


def test_no_optimiser_holds_a_frozen_weight() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.5)
    learner = pack.learn("gender", head=head())
    before = {name: owned.fixed.clone() for name, (_, owned) in learner.owned().items()}
    train(learner, 3)
    for name, (theta, owned) in learner.owned().items():
        assert theta.grad is not None
        assert not theta.grad[~owned.trainable].any(), f"a gradient reaches frozen {name}"
        assert torch.equal(owned.fixed, before[name])
        assert all(owned.fixed.data_ptr() != p.data_ptr() for p in learner.parameters())
