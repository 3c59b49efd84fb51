"""Adding filters changes nothing at first for the task that is learnt, and never for others."""

from collections.abc import Mapping

import pytest
import torch
from torch import nn
from torch.nn import functional

from paenet.backbones.inception_resnet import InceptionResnetV1
from paenet.packing import Learner, Pack, PackingError
from tests.packing.networks import (
    CLASSES,
    FEATURES,
    NETWORKS,
    Builder,
    Promise,
    backbone_outputs,
    batch_norm,
    check_owners,
    head,
    images,
    outputs,
    packed,
    teach,
    train,
)

close = {"rtol": 1e-4, "atol": 1e-5}


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_widening_preserves_the_function_at_step_0(builder: Builder) -> None:
    pack = packed(builder)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head())
    train(learner)
    learner.prune(to=0.3)
    before, claimed = outputs(learner), learner.weights
    for width in (1.5, 2.25):
        learner.widen(width)
        torch.testing.assert_close(outputs(learner), before, **close)
        assert learner.weights > claimed
        claimed = learner.weights


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_older_tasks_keep_their_width(builder: Builder) -> None:
    pack = packed(builder)
    promise = Promise()
    for name, width in (("identity", 1.0), ("gender", 1.5), ("age", 2.25), ("pose", None)):
        learner = pack.learn(name, head=head())
        if width is not None and width > 1:
            learner.widen(width)
        train(learner)
        learner.prune(to=0.5)
        learner.freeze()
        promise.make(pack, name)
        promise.check(pack)
        check_owners(pack)
    assert [at.width for at in pack.widths] == [1.0, 1.5, 2.25]
    for name, width in (("identity", 1.0), ("gender", 1.5), ("age", 2.25), ("pose", 2.25)):
        shapes = {k: v.shape for k, v in builder(width).state_dict().items()}
        network = pack.materialize(name).backbone
        assert {k: v.shape for k, v in network.state_dict().items()} == shapes


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_new_channels_learn(builder: Builder) -> None:
    pack = packed(builder)
    teach(pack, "identity", prune=0.0)  # no free weight but new ones
    learner = pack.learn("gender", head=head())
    assert learner.weights == 0
    learner.widen(1.5)
    before = backbone_outputs(learner)
    train(learner, 3)
    assert not torch.allclose(backbone_outputs(learner), before)
    assert_alive(learner)


def assert_alive(learner: Learner) -> None:
    """Asserts that a gradient reached the trainable weights of every layer that has some."""
    for name, (theta, owned) in learner.owned().items():
        if owned.trainable.any():
            assert theta.grad is not None
            assert theta.grad[owned.trainable].any(), f"{name} is dead"


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_task_narrower_than_the_pack_lends_its_function_and_new_channels_learn(
    builder: Builder,
) -> None:
    # The base is narrow, the pack wide and its added channels free: all zero, they would stay so.
    pack = packed(builder)
    teach(pack, "identity", prune=0.0)
    learner = pack.learn("gender", head=head())
    learner.widen(1.5)
    learner.freeze()
    pack.remove("gender")
    learner = pack.learn("age", head=head())
    base = backbone_outputs(pack.materialize("identity"))
    torch.testing.assert_close(backbone_outputs(learner), base, **close)
    train(learner, 3)  # the first step moves only what leads out of the new channels
    assert_alive(learner)


def test_what_widening_adds_is_claimed_by_the_task_that_widens() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.5)
    learner = pack.learn("gender", head=head(), claims="new")
    assert learner.weights == 0
    learner.widen(1.5)
    added = {n: o.trainable.sum() for n, (_, o) in learner.owned().items()}
    wide = batch_norm(1.5)
    for name, layer in pack.layers.items():
        assert added[name] == wide.get_submodule(name).weight.numel() - layer.theta.numel()
    learner.prune(to=0.5)
    assert learner.sparsity == pytest.approx(0.5, abs=0.01)
    learner.freeze()
    assert learner.weights == pack.weights("gender")
    check_owners(pack)


def test_borrowed_norms_are_still_the_bases_after_widening() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), norms="base")
    learner.widen(1.5)
    train(learner)
    bias = pack.tasks["identity"].private["1.bias"]
    assert torch.equal(learner.backbone.state_dict()["1.bias"][: len(bias)], bias)
    assert not learner.backbone.get_submodule("1").training
    learned = outputs(learner)
    task = learner.freeze()
    assert torch.equal(outputs(pack.materialize("gender")), learned)
    assert "6.weight" not in task.private
    assert "6.bias" not in task.private or not torch.equal(
        task.private["6.bias"], pack.tasks["identity"].private["6.bias"]
    )


class PerLayer(nn.Module):
    """Widths by layer, as MorphNet would choose them."""

    def __init__(self, width: float | Mapping[str, float]) -> None:
        super().__init__()
        factors = width if isinstance(width, Mapping) else {"one": width, "two": width}
        a, b = round(4 * factors["one"]), round(4 * factors["two"])
        self.one = nn.Conv2d(3, a, 3)
        self.two = nn.Conv2d(a, b, 3)
        self.last = nn.Linear(b, FEATURES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(functional.relu(self.two(functional.relu(self.one(x)))).mean((2, 3)))


def test_widths_may_be_given_per_layer() -> None:
    pack = packed(PerLayer)
    teach(pack, "identity")
    promise = Promise()
    promise.make(pack, "identity")
    learner = pack.learn("gender", head=head())
    before = outputs(learner)
    learner.widen({"one": 1.0, "two": 2.5})
    torch.testing.assert_close(outputs(learner), before, **close)
    width = {"one": 2.0, "two": 2.5}
    learner.widen(width)
    torch.testing.assert_close(outputs(learner), before, **close)
    learner.freeze()
    width["two"] = 9.0  # the pack has its own
    promise.check_older(pack)
    assert pack.widths[-1].width == {"one": 2.0, "two": 2.5}
    assert pack.layers["two"].theta.shape[:2] == (10, 8)


def inception(width: float) -> nn.Module:
    return InceptionResnetV1(0.07 * width, embedding=8)


def test_inception_resnet_blocks_widen() -> None:
    pack = Pack(inception, example=torch.zeros(1, 3, 80, 80))
    x = torch.randn(2, 3, 80, 80)
    learner = pack.learn("identity", head=nn.Identity())
    learner.prune(to=0.4)
    learner.freeze()
    fingerprint = pack.fingerprint("identity")
    with torch.no_grad():
        base = pack.materialize("identity")(x)
        learner = pack.learn("gender", head=nn.Linear(8, CLASSES)).eval()
        assert torch.equal(learner.backbone(x), base)
        learner.widen(1.5)
        torch.testing.assert_close(learner.backbone(x), base, rtol=1e-3, atol=1e-5)
        learner.freeze()
        assert pack.fingerprint("identity") == fingerprint
        assert torch.equal(pack.materialize("identity")(x), base)
        assert torch.equal(pack.materialize("gender")(x), learner(x))


def refused(pack: Pack, width: object, named: str, **arguments: object) -> None:
    """Asserts that widening is refused and leaves the learner as it was."""
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), **arguments)
    train(learner)
    before, weights = outputs(learner), learner.weights
    with pytest.raises(PackingError, match=named) as caught:
        learner.widen(width)
    assert "\n" not in str(caught.value)
    assert learner.weights == weights
    assert torch.equal(outputs(learner), before)
    learner.freeze()
    assert len(pack.widths) == 1


def test_widening_needs_a_builder() -> None:
    refused(Pack(batch_norm(1.0), example=images(1)), 1.5, r"made from a module.*Pack\(builder\)")


def test_widening_needs_an_example() -> None:
    refused(Pack(batch_norm), 1.5, r"needs an example input: Pack\(builder, example=")


def test_a_task_that_claims_no_weights_does_not_widen() -> None:
    refused(packed(batch_norm), 1.5, "'gender' claims no weights", claims="none")


def test_a_network_does_not_shrink() -> None:
    refused(packed(batch_norm), 0.5, "layer '0'.*6 channels.*3")


def test_the_features_must_keep_their_size() -> None:
    def builder(width: float) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(192, round(FEATURES * width)))

    refused(packed(builder), 1.5, "output grows from 6 to 9")


def test_a_width_may_change_channel_counts_only() -> None:
    def builder(width: float) -> nn.Module:
        deeper = [nn.Linear(FEATURES, FEATURES)] if width > 1 else []
        return nn.Sequential(nn.Flatten(), nn.Linear(192, FEATURES), *deeper)

    refused(packed(builder), 1.5, "other layers than at width 1")
