"""A task picks which of the weights that it sees it uses, and learns which."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from paenet.packing import Learner, Pack, PackingError, prune_gradually, scores_of
from paenet.packing.owned import own, owned_layers
from paenet.packing.picking import START, THRESHOLD, new_scores
from paenet.packing.pruning import Schedule
from tests.packing.networks import (
    NETWORKS,
    OPTIMIZERS,
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


@pytest.fixture
def pack() -> Pack:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.5)
    return pack


def picking(pack: Pack, name: str = "gender", **arguments: object) -> Learner:
    """A learner that has unpicked a random half."""
    learner = pack.learn(name, head=head(), picks=True, **{"sees": "all", **arguments})
    unpick_half(learner)
    return learner


@torch.no_grad()
def unpick_half(learner: Learner) -> None:
    for scores in scores_of(learner):
        scores.copy_(torch.where(torch.rand(scores.shape) < 0.5, 0.0, START))


def test_a_weight_is_used_where_its_score_is_above_the_threshold() -> None:
    layer = nn.Linear(3, 2, bias=False)
    trainable = torch.tensor([[True, False, False], [False, False, False]])
    fixed = torch.tensor([[0.0, 2.0, 3.0], [4.0, -5.0, 0.0]])
    own(layer, trainable, fixed, new_scores(fixed))
    theta, weight = owned_layers(layer)[""]
    assert weight.scores is not None
    with torch.no_grad():
        weight.scores.copy_(torch.tensor([[0.0, START, THRESHOLD], [-1.0, 1.0, 1.0]]))
    expected = torch.tensor([[theta[0, 0].item(), 2.0, 0.0], [0.0, -5.0, 0.0]])
    assert torch.equal(layer.weight, expected)


def test_the_gradient_of_a_score_is_that_of_the_weight_times_what_is_seen_there() -> None:
    layer = nn.Linear(3, 2, bias=False)
    trainable = torch.tensor([[True, False, False], [False, False, False]])
    fixed = torch.tensor([[0.0, 2.0, 3.0], [4.0, -5.0, 0.0]])
    own(layer, trainable, fixed, new_scores(fixed))
    theta, weight = owned_layers(layer)[""]
    assert weight.scores is not None
    weight.scores.data[0, 2] = 0.0  # not used: its gradient is there all the same
    x, up = torch.tensor([[1.0, 10.0, 100.0]]), torch.tensor([[1.0, -2.0]])
    (layer(x) * up).sum().backward()
    by_hand = up.T @ x  # of the weight
    assert torch.equal(weight.scores.grad, by_hand * fixed)
    assert torch.equal(theta.grad, by_hand * trainable)


def test_at_first_all_is_picked_and_the_task_starts_as_what_it_sees(pack: Pack) -> None:
    plain = pack.learn("a", head=nn.Identity(), sees="all")
    picks = pack.learn("b", head=nn.Identity(), sees="all", picks=True)
    assert torch.equal(outputs(picks), outputs(plain))
    picked = picks.freeze().picked
    assert picked is not None
    for name, layer in pack.layers.items():
        assert torch.equal(picked[name], layer.owner == 1)


def test_a_harmful_weight_is_not_picked_after_training() -> None:
    pack = Pack(nn.Linear(8, 4, bias=False))
    learner = pack.learn("base", head=nn.Identity())
    target = torch.randn(4, 8, generator=torch.Generator().manual_seed(0)).sign()
    harmful = torch.rand(4, 8, generator=torch.Generator().manual_seed(1)) < 0.3
    with torch.no_grad():
        theta, _ = learner.owned()[""]
        theta.copy_(torch.where(harmful, 3 * target, target))
    learner.freeze()
    learner = pack.learn("task", head=nn.Identity(), claims="none", picks=True)
    optimizer = torch.optim.Adam(scores_of(learner), lr=5e-4)
    draw = torch.Generator().manual_seed(2)
    for _ in range(200):
        x = torch.randn(32, 8, generator=draw)
        wanted = functional.linear(x, torch.where(harmful, 0.0, target))
        optimizer.zero_grad()
        functional.mse_loss(learner(x)[:, :4], wanted).backward()
        optimizer.step()
    picked = learner.freeze().picked
    assert picked is not None
    assert torch.equal(picked[""], ~harmful)
    assert pack.weights("task") == 0


@pytest.mark.parametrize("width", [None, 1.5, 0.5], ids=["same", "widened", "narrowed"])
@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_what_was_learnt_is_what_is_kept_at_every_width(
    builder: Builder, width: float | None
) -> None:
    pack, promise = packed(builder), Promise()
    for name in ("identity", "age"):
        teach(pack, name, sees="none")
        promise.make(pack, name)
    learner = picking(pack)
    before = outputs(learner)
    if width is not None and width > 1:
        learner.widen(width)
        torch.testing.assert_close(outputs(learner), before, rtol=1e-4, atol=1e-4)
    elif width is not None:
        learner.narrow(width)
    train(learner, 2, OPTIMIZERS["adam"])
    learner.prune(to=0.5)
    unpick_half(learner)
    learned = outputs(learner)
    task = learner.freeze()
    assert torch.equal(outputs(pack.materialize("gender")), learned)
    assert task.picked is not None
    assert any(picked.any() for picked in task.picked.values())
    promise.check_older(pack)
    promise.make(pack, "gender")
    learner = teach(pack, "later", sees="all", picks=True)
    wide = pack.learn("wide", head=head(), sees="all")
    wide.widen(2.0)
    wide.freeze()
    promise.check_older(pack)
    check_owners(pack)


def test_a_later_task_sees_the_weights_and_not_the_pick(pack: Pack) -> None:
    learner = picking(pack)
    learner.freeze()
    later = pack.learn("later", head=head(), sees="all")
    for name, layer in pack.layers.items():
        assert torch.equal(later.backbone.get_submodule(name).weight, layer.theta)


def test_a_task_that_is_picked_from_is_in_use(pack: Pack) -> None:
    picking(pack).freeze()
    with pytest.raises(PackingError, match="'identity' is in use by gender"):
        pack.remove("identity")
    pack.remove("gender")
    check_owners(pack)


def test_a_task_that_sees_no_one_picks_nothing(pack: Pack) -> None:
    learner = pack.learn("alone", head=head(), sees="none", picks=True)
    assert scores_of(learner) == []
    assert learner.freeze().picked is None
    assert Pack(batch_norm).learn("first", head=head(), picks=True).picks is False


def test_pruning_leaves_the_pick_alone_and_goes_back_to_what_it_was(pack: Pack) -> None:
    learner = picking(pack)
    before, computed = [scores.clone() for scores in scores_of(learner)], outputs(learner)
    prune_gradually(learner, Schedule(0.8, 2), lambda: unpick_half(learner), lambda: False)
    assert all(map(torch.equal, scores_of(learner), before))
    assert torch.equal(outputs(learner), computed)


def test_scores_are_parameters_and_nothing_else_of_the_network_is_added(pack: Pack) -> None:
    plain = pack.learn("a", head=head())
    picks = pack.learn("b", head=head(), picks=True)
    added = {n for n, _ in picks.named_parameters()} - {n for n, _ in plain.named_parameters()}
    assert added == {f"backbone.{n}.parametrizations.weight.0.scores" for n in pack.layers}
    assert len(scores_of(nn.ModuleList([picks]))) == len(pack.layers)
    assert scores_of(plain) == []


@pytest.mark.parametrize("width", [None, 1.5, 0.5], ids=["same", "widened", "narrowed"])
def test_a_saved_learner_goes_on_with_its_scores(pack: Pack, width: float | None) -> None:
    def start() -> Learner:
        learner = pack.learn("gender", head=head(), picks=True)
        if width is not None:
            (learner.widen if width > 1 else learner.narrow)(width)
        return learner

    learner = start()
    train(learner, 2, OPTIMIZERS["adam"])
    unpick_half(learner)
    saved = {key: tensor.clone() for key, tensor in learner.state_dict().items()}
    fresh = start()
    fresh.load_state_dict(saved)
    twin = copy.deepcopy(learner)
    for one in (learner, fresh, twin):
        train(one, 2, OPTIMIZERS["adam"])
    assert torch.equal(outputs(fresh), outputs(learner))
    assert torch.equal(outputs(twin), outputs(learner))
    other = copy.deepcopy(pack)
    learner.freeze()
    again = other.learn("gender", head=head(), picks=True)
    if width is not None:
        (again.widen if width > 1 else again.narrow)(width)
    again.load_state_dict(fresh.state_dict())
    again.freeze()
    assert other.fingerprint("gender") == pack.fingerprint("gender")


def test_a_stem_is_whole() -> None:
    pack = packed(blocks)
    teach(pack, "base")
    learner = picking(pack, stem="first", sees="base")
    assert learner.split is not None
    below, rest = learner.halves()
    assert scores_of(below) == []
    assert len(scores_of(rest)) == len(pack.layers) - len(learner.split.layers)
    with torch.no_grad():
        x = images()
        torch.testing.assert_close(rest.eval()(below(x)), learner.eval()(x))
    learned = outputs(learner)
    task = learner.freeze()
    assert task.picked is not None
    assert task.picked.keys() == pack.layers.keys() - set(learner.split.layers)
    assert torch.equal(outputs(pack.materialize("gender")), learned)


def test_a_copy_of_a_pack_has_picks_of_its_own(pack: Pack) -> None:
    picking(pack).freeze()
    twin = copy.deepcopy(pack)
    assert twin.fingerprint("gender") == pack.fingerprint("gender")
    picked = twin.tasks["gender"].picked
    assert picked is not None
    for one in picked.values():
        one.zero_()
    assert twin.fingerprint("gender") != pack.fingerprint("gender")
