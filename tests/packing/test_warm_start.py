"""A task whose own weights begin at those of the given network, instead of at zero."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from paenet.packing import Learner, Pack, PackingError
from tests.packing.networks import (
    NETWORKS,
    Builder,
    Promise,
    backbone_outputs,
    batch_norm,
    head,
    outputs,
    packed,
    teach,
    train,
)

State = dict[str, Tensor]
Change = Callable[[State], State]


def begun(builder: Builder, width: float | None = None) -> tuple[Pack, State]:
    """A pack whose first task is the given network, half of it released; and that network.

    With a width, a second task has grown to that.
    """
    pack = packed(builder)
    given = pack.given()
    base = pack.learn("base", head=head())
    base.prune(0.5)
    base.freeze()
    if width is not None:
        wide = pack.learn("wide", head=head())
        wide.widen(width)
        train(wide)
        wide.freeze()
        pack.remove("wide")  # its weights are free, its channels stay
    return pack, given


def dense(builder: Builder, given: State) -> Tensor:
    network = builder(1.0).eval()
    network.load_state_dict(given)
    return outputs(network)


@pytest.mark.parametrize("width", [None, 1.5])
@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_what_a_task_sees_and_what_it_may_train_are_the_given_network_together(
    builder: Builder, width: float | None
) -> None:
    pack, given = begun(builder, width)
    learner = pack.learn("gender", head=nn.Identity())
    cold = backbone_outputs(learner)
    learner.warm_start(given)
    expected = dense(builder, given)
    assert torch.allclose(backbone_outputs(learner), expected, atol=1e-5)
    assert not torch.allclose(cold, expected, atol=1e-3)


def test_a_task_that_gave_channels_up_does_not_stand_in_the_way() -> None:
    pack, given = begun(batch_norm)
    small = pack.learn("small", head=head())
    small.narrow(0.5)
    small.freeze()
    pack.remove("small")  # its width stays, before that of the given network
    learner = pack.learn("gender", head=nn.Identity())
    learner.warm_start(given)
    assert torch.allclose(backbone_outputs(learner), dense(batch_norm, given), atol=1e-5)


def test_older_tasks_stay_as_they_are() -> None:
    pack, given = begun(batch_norm)
    promise = Promise()
    promise.make(pack, "base")
    learner = pack.learn("gender", head=head())
    learner.warm_start(given)
    train(learner)
    learner.prune(0.3)
    learner.freeze()
    promise.check_older(pack)


def test_weights_that_are_another_tasks_keep_its_values() -> None:
    pack, given = begun(batch_norm)
    teach(pack, "age", prune=0.3)
    learner = pack.learn("gender", head=head(), sees="all")
    learner.warm_start({key: torch.full_like(value, 9.0) for key, value in given.items()})
    for name, (_, weight) in learner.owned().items():
        taken = pack.layers[name].owner != 0
        value = learner.backbone.get_submodule(name).weight
        assert isinstance(value, Tensor)
        assert torch.equal(value[taken], pack.layers[name].theta[taken])
        assert (value[~taken] == 9.0).all()
        assert torch.equal(weight.trainable, ~taken)


def _without(given: State) -> State:
    return {key: value for key, value in given.items() if key != "0.weight"}


def _reshaped(given: State) -> State:
    return {**given, "0.weight": given["0.weight"][:1]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without, r"'0.weight' is missing; a warm start needs \[6, 3, 3, 3\]"),
        (_reshaped, r"'0.weight' is of shape \[1, 3, 3, 3\]; a warm start needs \[6, 3, 3, 3\]"),
    ],
)
def test_another_networks_state_is_refused(change: Change, message: str) -> None:
    pack, given = begun(batch_norm)
    with pytest.raises(PackingError, match=message):
        pack.learn("gender", head=head()).warm_start(change(given))


def _widen(learner: Learner) -> None:
    learner.widen(1.5)


def _freeze(learner: Learner) -> None:
    learner.freeze()


@pytest.mark.parametrize(
    ("before", "message"),
    [(_widen, "has another width by now; start it warm first"), (_freeze, "is frozen")],
)
def test_a_start_is_no_start_later(before: Callable[[Learner], None], message: str) -> None:
    pack, given = begun(batch_norm)
    learner = pack.learn("gender", head=head())
    before(learner)
    with pytest.raises(PackingError, match=message):
        learner.warm_start(given)
