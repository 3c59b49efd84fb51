"""Channels that were added for a task go with it, and nothing of what stays is lost."""

import pytest
import torch

from paenet.packing import Pack
from paenet.packing.channels import ChannelMaps
from tests.packing.networks import (
    NETWORKS,
    Builder,
    Promise,
    batch_norm,
    check_owners,
    head,
    packed,
    teach,
    train,
)
from tests.packing.test_narrowing import narrowed


def widened(pack: Pack, name: str, width: float) -> None:
    learner = pack.learn(name, head=head())
    learner.widen(width)
    train(learner)
    learner.prune(to=0.5)
    learner.freeze()


def promised(pack: Pack) -> Promise:
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    return promise


def widths(pack: Pack) -> list[float]:
    return [width.width for width in pack.widths]


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_pack_that_was_widened_for_a_task_is_without_it_what_it_was(builder: Builder) -> None:
    pack = packed(builder)
    teach(pack, "base")
    teach(pack, "other")
    promise = promised(pack)
    before = {n: (x.theta.clone(), x.owner.clone()) for n, x in pack.layers.items()}
    for _ in range(2):  # the second time it begins with what the first one left
        widened(pack, "wide", 1.5)
        promise.make(pack, "wide")
        widened(pack, "wider", 2.0)
        pack.remove("wider")
        assert widths(pack) == [1.0, 1.5]
        promise.check(pack)
        pack.remove("wide")
        promise.release("wide")
        assert widths(pack) == [1.0]
        promise.check(pack)
        for name, (theta, owner) in before.items():
            assert torch.equal(pack.layers[name].theta, theta), name
            assert torch.equal(pack.layers[name].owner, owner), name


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_narrow_task_keeps_its_channels_when_a_wide_one_goes(builder: Builder) -> None:
    pack = packed(builder)
    teach(pack, "base")
    narrowed(pack, "small", 0.5)
    widened(pack, "wide", 2.0)
    promise = promised(pack)
    pack.remove("wide")
    promise.release("wide")
    assert widths(pack) == [0.5, 1.0]
    promise.check(pack)
    check_owners(pack)
    teach(pack, "later")
    promise.make(pack, "later")
    promise.check(pack)


def test_a_pack_is_as_wide_as_the_widest_of_its_tasks() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    widened(pack, "wide", 2.0)
    narrowed(pack, "between", 1.5)  # keeps all channels of the base
    promise = promised(pack)
    pack.remove("wide")
    promise.release("wide")
    assert widths(pack) == [1.0, 1.5]
    promise.check(pack)


def test_a_task_without_channels_of_the_base_keeps_the_pack_as_wide_as_it_is() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    widened(pack, "wide", 2.0)
    learner = pack.learn("between", head=head(), sees="none")
    train(learner)
    with torch.no_grad():
        theta, _ = learner.owned()["3"]
        theta[:, pack.widths[0].maps["0"].outputs] = 0  # so that these are given up first
    learner.narrow(1.5)
    learner.freeze()
    promise = promised(pack)
    pack.remove("wide")
    promise.release("wide")
    assert widths(pack) == [1.0, 1.5, 2.0]
    promise.check(pack)
    pack.remove("between")
    promise.release("between")
    assert widths(pack) == [1.0]
    promise.check(pack)
    check_owners(pack)


def test_an_emptied_pack_is_as_wide_as_it_was_given() -> None:
    pack = packed(batch_norm)
    shapes = {name: layer.theta.shape for name, layer in pack.layers.items()}
    widened(pack, "wide", 1.5)
    pack.remove("wide")
    assert widths(pack) == [1.0]
    assert {name: layer.theta.shape for name, layer in pack.layers.items()} == shapes
    teach(pack, "next")
    check_owners(pack)


@pytest.mark.parametrize("per_output", [False, True])
def test_places_inside_another_width_lead_to_the_same_channels(per_output: bool) -> None:
    inputs = torch.tensor([[3, 0, 1], [0, 3, 1], [1, 2, 3], [3, 1, 2]])
    wide = ChannelMaps(torch.tensor([5, 0, 2, 4]), inputs if per_output else inputs[0])
    narrow = ChannelMaps(torch.tensor([2, 0]), torch.tensor([1, 3]))
    inside = narrow.inside(wide)
    assert inside is not None
    assert inside.outputs.tolist() == [2, 1]
    values = torch.rand(6, 4)
    assert torch.equal(inside.narrow(wide.narrow(values)), narrow.narrow(values))


@pytest.mark.parametrize(("outputs", "inputs"), [([0, 1], [0]), ([0, 2], [0]), ([0], [9])])
def test_channels_that_another_width_has_not_are_not_inside_it(
    outputs: list[int], inputs: list[int]
) -> None:
    wide = ChannelMaps(torch.tensor([0, 3]), torch.tensor([0, 1]))
    assert ChannelMaps(torch.tensor(outputs), torch.tensor(inputs)).inside(wide) is None
