"""A task while it is learnt: where it starts, what it can lose, and how it becomes a part."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

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
    prelu,
    teach,
    train,
)


@pytest.fixture
def pack() -> Pack:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.6)
    return pack


@pytest.mark.parametrize("norms", ["own", "base"])
@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_task_that_sees_the_base_starts_as_the_base(builder: Builder, norms: str) -> None:
    pack = packed(builder)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head(), norms=norms)
    assert torch.equal(backbone_outputs(learner), backbone_outputs(pack.materialize("identity")))


def test_a_task_that_sees_none_starts_from_the_initialisation_that_its_seed_draws(
    pack: Pack,
) -> None:
    state = torch.random.get_rng_state()
    drawn = [outputs(pack.learn("a", head=nn.Identity(), sees="none", seed=s)) for s in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(torch.random.get_rng_state(), state), "it drew from the global generator"


def test_norms_biases_and_slopes_start_as_copies_of_the_bases() -> None:
    pack = packed(prelu)
    teach(pack, "identity")
    before = {key: value.clone() for key, value in pack.tasks["identity"].private.items()}
    learner = pack.learn("gender", head=head())
    state = learner.backbone.state_dict()
    assert all(torch.equal(state[key], before[key]) for key in before)
    train(learner)
    assert not torch.equal(learner.backbone.state_dict()["1.weight"], before["1.weight"])
    learner.freeze()
    assert all(torch.equal(pack.tasks["identity"].private[key], before[key]) for key in before)


def test_borrowed_norms_stay_as_they_are_in_training(pack: Pack) -> None:
    learner = pack.learn("gender", head=head(), norms="base")
    before = {key: value.clone() for key, value in pack.tasks["identity"].private.items()}
    train(learner, 3)
    state = learner.backbone.state_dict()
    assert all(torch.equal(state[key], before[key]) for key in before)
    assert learner.freeze().private == {}


def test_pruning_releases_the_smallest_of_its_own(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    train(learner)
    sizes = {name: theta.detach().abs() for name, (theta, _) in learner.owned().items()}
    claimed = {name: owned.trainable.clone() for name, (_, owned) in learner.owned().items()}
    learner.prune(to=0.75)
    assert learner.sparsity == pytest.approx(0.75, abs=0.02)
    for name, (_, owned) in learner.owned().items():
        gone = claimed[name] & ~owned.trainable
        assert sizes[name][gone].max() <= sizes[name][owned.trainable].min()
        assert (pack.layers[name].owner[owned.trainable] == 0).all()
        weight = learner.backbone.get_submodule(name).weight
        assert not weight[gone].any()


def test_pruning_leaves_what_it_sees_alone(pack: Pack) -> None:
    base = pack.materialize("identity").backbone
    learner = pack.learn("gender", head=head())
    learner.prune(to=0.99)
    for name, layer in pack.layers.items():
        seen = layer.owner == 1
        weight = learner.backbone.get_submodule(name).weight
        assert torch.equal(weight[seen], base.get_submodule(name).weight[seen])


def test_shares_are_of_what_was_claimed_so_that_stages_do_not_multiply(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    claimed = learner.weights
    for share in (0.2, 0.5, 0.5, 0.8):
        learner.prune(to=share)
        assert learner.weights == pytest.approx(claimed * (1 - share), abs=len(pack.layers))
    weights = learner.weights
    learner.prune(to=0.1)  # what is released does not come back
    assert learner.weights == weights


def test_a_released_weight_does_not_come_back_in_training(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    train(learner)
    learner.prune(to=0.7)
    masks = {name: owned.trainable.clone() for name, (_, owned) in learner.owned().items()}
    train(learner, 3)
    for name, (_, owned) in learner.owned().items():
        assert torch.equal(owned.trainable, masks[name])
        ours = masks[name] | (pack.layers[name].owner == 1)
        assert not learner.backbone.get_submodule(name).weight[~ours].any()


@pytest.mark.parametrize("to", [-0.1, 1.0, 1.5, float("nan"), True, False])
def test_pruning_out_of_range_is_refused(pack: Pack, to: float) -> None:
    learner = pack.learn("gender", head=head())
    weights = learner.weights
    with pytest.raises(PackingError, match=r"prune\(to=.*give a share from 0 to below 1"):
        learner.prune(to=to)
    assert learner.weights == weights


def test_an_unknown_rank_is_refused(pack: Pack) -> None:
    with pytest.raises(PackingError, match="rank='network': give layer or global"):
        pack.learn("gender", head=head()).prune(to=0.5, rank="network")


def test_a_task_that_claims_nothing_owns_nothing(pack: Pack) -> None:
    for claims in ("none", "new"):
        learner = pack.learn("gender", head=head(), claims=claims)
        train(learner)
        assert learner.weights == 0
        assert learner.sparsity == 0
        learner.prune(to=0.5)
    learner.freeze()
    assert pack.weights("gender") == 0


def test_the_pack_knows_nothing_of_a_task_before_it_is_frozen(pack: Pack) -> None:
    owners = {name: layer.owner.clone() for name, layer in pack.layers.items()}
    learner = pack.learn("gender", head=head())
    train(learner)
    learner.prune(to=0.5)
    learner.widen(1.5)
    assert list(pack.tasks) == ["identity"]
    assert all(torch.equal(pack.layers[name].owner, owners[name]) for name in owners)
    assert len(pack.widths) == 1


def test_a_frozen_learner_computes_but_changes_no_more(pack: Pack) -> None:
    learner = teach(pack, "gender")
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    assert torch.equal(outputs(learner), promise.made["gender"][1])
    for change in (
        learner.freeze,
        lambda: learner.prune(to=0.9),
        lambda: learner.widen(2.0),
    ):
        with pytest.raises(PackingError, match="task 'gender' is frozen"):
            change()
    train(learner)  # its parameters are its own: the pack has copies
    promise.check(pack)


@pytest.mark.parametrize("widened", [False, True], ids=["same-width", "widened"])
def test_a_saved_learner_goes_on_in_a_fresh_one(pack: Pack, widened: bool) -> None:
    def start() -> Learner:
        learner = pack.learn("gender", head=head())
        if widened:
            learner.widen(1.5)
        return learner

    learner = start()
    train(learner)
    learner.prune(to=0.5)
    train(learner)
    saved = {key: tensor.clone() for key, tensor in learner.state_dict().items()}
    fresh = start()
    fresh.load_state_dict(saved)
    assert fresh.weights == learner.weights
    assert fresh.sparsity == learner.sparsity
    assert torch.equal(outputs(fresh), outputs(learner))
    for one in (learner, fresh):
        train(one)
        one.prune(to=0.7)
    assert torch.equal(outputs(fresh), outputs(learner))
    twin = copy.deepcopy(pack)
    learner.freeze()
    other = twin.learn("gender", head=head())
    if widened:
        other.widen(1.5)
    other.load_state_dict(fresh.state_dict())
    other.freeze()
    assert twin.fingerprint("gender") == pack.fingerprint("gender")


def test_a_copied_learner_learns_for_the_same_pack(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    twin = copy.deepcopy(learner)
    before = outputs(learner)
    train(twin)
    assert torch.equal(outputs(learner), before)
    learned = outputs(twin)
    twin.freeze()
    assert torch.equal(outputs(pack.materialize("gender")), learned)
    with pytest.raises(PackingError, match="'gender' was added meanwhile"):
        learner.freeze()


def test_averaged_weights_can_be_frozen(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    average = AveragedModel(learner)
    for _ in range(2):
        train(learner, 1)
        average.update_parameters(learner)
    assert isinstance(average.module, Learner)
    learned = outputs(average.module)
    average.module.freeze()
    assert torch.equal(outputs(pack.materialize("gender")), learned)


def test_an_average_that_takes_the_masks_over_by_hand_computes_what_is_stored(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    train(learner)
    average = copy.deepcopy(learner)
    outputs(average)  # with the mask of an unpruned learner
    learner.prune(to=0.5)
    for ours, theirs in zip(average.buffers(), learner.buffers(), strict=True):
        ours.data.copy_(theirs.data)
    learned = outputs(average)
    assert average.weights == learner.weights
    average.freeze()
    assert torch.equal(outputs(pack.materialize("gender")), learned)


def test_processes_that_share_a_learner_send_no_constants(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner, alone = (pack.learn("gender", head=head()) for _ in range(2))
    alone.head.load_state_dict(learner.head.state_dict())
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        shared = nn.parallel.DistributedDataParallel(learner)
        train(shared)
    finally:
        torch.distributed.destroy_process_group()
    constants = {
        name for name, _ in learner.named_buffers() if name.endswith(("fixed", "trainable"))
    }
    assert len(constants) == 2 * len(pack.layers)
    assert shared.parameters_to_ignore >= constants
    train(alone)
    assert torch.equal(outputs(learner), outputs(alone))


def test_fresh_values_are_drawn_beside_all_generators(pack: Pack) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    pack.learn("gender", head=nn.Identity(), sees="none", seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_a_learner_is_an_ordinary_module(pack: Pack) -> None:
    learner = pack.learn("gender", head=head())
    names = {name for name, _ in learner.named_parameters()}
    assert "head.weight" in names
    assert "backbone.0.parametrizations.weight.original" in names
    assert learner.eval() is learner
    assert learner.train() is learner
    learner.to(memory_format=torch.channels_last)
    train(learner)
    expected = outputs(learner)
    learner.freeze()
    torch.testing.assert_close(outputs(pack.materialize("gender")), expected)
