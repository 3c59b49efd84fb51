"""A task gives whole channels up: it keeps those that pass on most, and others keep theirs."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from paenet.packing import Learner, Pack, PackingError
from tests.packing.networks import (
    NETWORKS,
    Builder,
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
from tests.packing.test_stems import blocks


def narrowed(pack: Pack, name: str, width: object = 0.5, **arguments: object) -> Learner:
    """Learns a task that gives channels up, and freezes it; returns its learner."""
    learner = pack.learn(name, head=head(), **arguments)
    train(learner)
    learner.narrow(width)
    train(learner)
    learner.prune(to=0.3)
    learner.freeze()
    return learner


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_narrower_task_is_what_was_learnt_and_leaves_the_others_alone(builder: Builder) -> None:
    pack, promise = packed(builder), Promise()
    teach(pack, "base")
    promise.make(pack, "base")
    learner = narrowed(pack, "small", sees="base")
    assert torch.equal(outputs(pack.materialize("small")), outputs(learner))
    shapes = {key: value.shape for key, value in builder(0.5).state_dict().items()}
    network = pack.materialize("small").get_submodule("backbone")
    assert {key: value.shape for key, value in network.state_dict().items()} == shapes
    promise.make(pack, "small")
    teach(pack, "later", sees="all")
    promise.make(pack, "later")
    check_owners(pack)
    promise.check(pack)
    pack.remove("later")
    pack.remove("small")
    promise.release("later")
    promise.release("small")
    promise.check(pack)


def test_the_width_of_a_removed_task_goes_with_it() -> None:
    pack, promise = packed(batch_norm), Promise()
    teach(pack, "base")
    narrowed(pack, "small", 0.5)
    narrowed(pack, "smaller", 0.4)
    for name in ("base", "smaller"):
        promise.make(pack, name)
    assert len(pack.widths) == 3
    pack.remove("small")
    assert [width.width for width in pack.widths] == [0.4, 1.0]
    promise.check(pack)
    pack.remove("smaller")
    assert [width.width for width in pack.widths] == [1.0]


def test_channels_that_nothing_takes_in_go_first() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    learner = pack.learn("task", head=head(), sees="none")
    train(learner)
    learner.eval()
    with torch.no_grad():
        for layer, channels in (("3", [1, 2, 4]), ("8", slice(0, None, 2))):
            theta, _ = learner.owned()[layer]  # which takes the channels in
            theta[:, channels] = 0
    before = outputs(learner)
    learner.narrow(0.5)
    assert learner.backbone[0].out_channels == 3
    torch.testing.assert_close(outputs(learner), before, rtol=1e-5, atol=1e-5)


def test_giving_channels_up_twice_leads_to_channels_of_the_pack() -> None:
    pack, promise = packed(batch_norm), Promise()
    teach(pack, "base")
    promise.make(pack, "base")
    learner = pack.learn("small", head=head())
    for width in (0.8, 0.4):
        train(learner)
        learner.narrow(width)
    train(learner)
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("small")), outputs(learner))
    assert [width.width for width in pack.widths] == [0.4, 1.0]
    check_owners(pack)
    promise.check_older(pack)


def test_a_narrower_task_stays_when_the_pack_is_widened() -> None:
    pack, promise = packed(batch_norm), Promise()
    teach(pack, "base")
    narrowed(pack, "small")
    for name in pack.tasks:
        promise.make(pack, name)
    learner = pack.learn("large", head=head())
    learner.widen(1.5)
    learner.freeze()
    narrowed(pack, "smaller", 0.3)
    assert [width.width for width in pack.widths] == [0.5, 1.0, 0.3, 1.5]
    check_owners(pack)
    promise.check_older(pack)


def test_below_a_stem_channels_stay() -> None:
    pack = packed(blocks)
    teach(pack, "base")
    learner = narrowed(pack, "small", (1.0, 0.5), stem="first", sees="base")
    assert torch.equal(outputs(pack.materialize("small")), outputs(learner))
    below, rest = learner.halves()
    x = images()
    with torch.no_grad():
        torch.testing.assert_close(rest.eval()(below(x)), learner.eval()(x))
    assert learner.backbone.get_submodule("second.inner").out_channels == 3
    assert pack.tasks["small"].private.keys().isdisjoint({"stem.1.weight", "first.slope.weight"})
    with pytest.raises(PackingError, match=r"layer 'first\.inner' in it has another width"):
        pack.learn("no", head=head(), stem="first").narrow((1.0, 0.5, 0.5))


def test_the_channels_are_part_of_the_state() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    learner = pack.learn("task", head=head())
    train(learner)
    learner.narrow(0.5)
    train(learner)
    other = pack.learn("task", head=head(), seed=1)  # which knows nothing of that training
    other.narrow(0.5)
    other.load_state_dict(learner.state_dict())
    assert torch.equal(outputs(other), outputs(learner))
    other.freeze()
    assert torch.equal(outputs(pack.materialize("task")), outputs(learner))


def test_what_is_pruned_counts_against_the_channels_of_the_state() -> None:
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)  # so that channels differ in what is free
    learner, other = (pack.learn("task", head=head()) for _ in range(2))
    with torch.no_grad():
        for theta, _ in other.owned().values():  # so that it keeps other channels
            theta[:, ::2] = 9.0
    learner.narrow(0.5)
    other.narrow(0.5)
    assert other.claimed != learner.claimed
    other.load_state_dict(learner.state_dict())
    assert other.claimed == learner.claimed
    for each in (learner, other):
        each.prune(to=0.5)
    assert torch.equal(outputs(other), outputs(learner))
    assert other.weights == learner.weights


def test_channels_of_any_task_that_is_seen_start_at_zero() -> None:
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)
    wide = pack.learn("wide", head=head())
    wide.widen(1.5)
    wide.freeze()
    narrowed(pack, "small", 0.3)
    pack.remove("wide")
    at = pack.widths[pack.tasks["base"].width]
    for name, (theta, weight) in pack.learn("later", head=head(), sees="all").owned().items():
        assert not at.narrow(name, theta)[at.narrow(name, weight.trainable)].any()


def test_a_copy_can_be_frozen_in_its_place() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    learner = pack.learn("task", head=head())
    learner.narrow(0.5)
    train(learner)
    twin = copy.deepcopy(learner)
    twin.freeze()
    assert torch.equal(outputs(pack.materialize("task")), outputs(learner))


def test_pruning_counts_against_the_weights_that_are_left() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    learner = pack.learn("task", head=head())
    before = learner.weights
    learner.narrow(0.5)
    left = learner.weights
    assert left < before / 2
    assert learner.sparsity == 0
    learner.prune(to=0.5)
    assert learner.weights == pytest.approx(left / 2, abs=len(learner.claimed))


def _first(pack: Pack) -> None:
    pack.learn("task", head=head()).narrow(0.5)


def _of_the_base(pack: Pack) -> None:
    teach(pack, "base")
    pack.learn("task", head=head(), norms="base").narrow(0.5)


def _widened(pack: Pack) -> None:
    teach(pack, "base")
    learner = pack.learn("task", head=head())
    learner.widen(1.5)
    learner.narrow(0.5)


def _then_widened(pack: Pack) -> None:
    teach(pack, "base")
    learner = pack.learn("task", head=head())
    learner.narrow(0.5)
    learner.widen(1.5)


def _wider(pack: Pack) -> None:
    teach(pack, "base")
    pack.learn("task", head=head()).narrow(1.5)


def _frozen(pack: Pack) -> None:
    teach(pack, "base").narrow(0.5)


def _cast(pack: Pack) -> None:
    teach(pack, "base")
    pack.learn("task", head=head()).double().narrow(0.5)


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (_first, "is the first task"),
        (_of_the_base, "uses the base's norms"),
        (_widened, "was widened"),
        (_then_widened, "has given channels up"),
        (_wider, "9 channels would have to continue in 6"),
        (_frozen, "is frozen"),
        (_cast, "was cast to torch.float64"),
    ],
)
def test_what_cannot_be_narrowed_is_refused(do: Callable[[Pack], None], message: str) -> None:
    with pytest.raises(PackingError, match=message):
        do(packed(batch_norm))


def test_without_a_builder_or_an_example_the_mend_is_named() -> None:
    pack = Pack(batch_norm)
    teach(pack, "base")
    with pytest.raises(PackingError, match="needs an example input"):
        pack.learn("task", head=head()).narrow(0.5)
    pack = Pack(batch_norm(1.0), example=images(1))
    teach(pack, "base")
    with pytest.raises(PackingError, match="the pack was made from a module"):
        pack.learn("task", head=nn.Identity()).narrow(0.5)
