"""A pack that changed while a task was learnt refuses it where it does not fit in any more."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from paenet.packing import Learner, Pack, PackingError
from tests.packing.networks import (
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


@pytest.fixture
def pack() -> Pack:
    pack = packed(batch_norm)
    teach(pack, "identity", prune=0.6)
    teach(pack, "gender", prune=0.6)
    return pack


def learning(pack: Pack, **arguments: object) -> Learner:
    learner = pack.learn("age", head=head(), **arguments)
    train(learner)
    return learner


def refuses(pack: Pack, learner: Learner, named: str) -> None:
    """Asserts that freezing is refused and leaves every task, owner and weight as they are."""
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    before = {
        name: (layer.theta.clone(), layer.owner.clone()) for name, layer in pack.layers.items()
    }
    with pytest.raises(PackingError, match=named) as caught:
        learner.freeze()
    assert "\n" not in str(caught.value)
    promise.check(pack)
    for name, (theta, owner) in before.items():
        assert torch.equal(pack.layers[name].theta, theta)
        assert torch.equal(pack.layers[name].owner, owner)


def widened(pack: Pack) -> None:
    learner = pack.learn("pose", head=head())
    learner.widen(1.5)
    learner.freeze()


def relearnt(pack: Pack) -> None:
    pack.remove("gender")
    teach(pack, "gender", prune=0.8)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda pack: teach(pack, "age"), "task 'age' was added meanwhile"),
        (lambda pack: teach(pack, "pose"), "'age' learnt were taken by another task meanwhile"),
        (lambda pack: pack.remove("gender"), "'gender', which 'age' sees, was removed"),
        (relearnt, "meanwhile"),
        (widened, "the pack got another width while 'age' was learnt"),
    ],
)
def test_a_pack_that_changed_refuses_what_does_not_fit(
    pack: Pack, change: Callable[[Pack], object], named: str
) -> None:
    learner = learning(pack, sees=["identity", "gender"])
    change(pack)
    refuses(pack, learner, named)


def test_a_seen_task_that_became_another_is_noticed(pack: Pack) -> None:
    learner = learning(pack, sees=["gender"], claims="none")  # takes no weight of anybody's
    relearnt(pack)
    refuses(pack, learner, "what 'age' sees changed while it was learnt")


def test_two_learners_that_share_out_the_free_weights_both_fit(pack: Pack) -> None:
    one, other = learning(pack), pack.learn("pose", head=head())
    for (_, mine), (_, yours) in zip(one.owned().values(), other.owned().values(), strict=True):
        half = torch.rand(mine.trainable.shape) < 0.5
        mine.trainable &= half
        yours.trainable &= ~half
    train(other)
    learned = outputs(one), outputs(other)
    one.freeze()
    other.freeze()
    check_owners(pack)
    assert torch.equal(outputs(pack.materialize("age")), learned[0])
    assert torch.equal(outputs(pack.materialize("pose")), learned[1])


def test_heads_on_the_base_can_be_learnt_side_by_side(pack: Pack) -> None:
    learners = [pack.learn(name, head=head(), claims="none") for name in ("age", "pose")]
    for learner in learners:
        train(learner)
        learner.freeze()
    assert list(pack.tasks) == ["identity", "gender", "age", "pose"]


def test_a_task_not_seen_may_go_meanwhile(pack: Pack) -> None:
    learner = learning(pack, sees="base")
    pack.remove("gender")
    learned = outputs(learner)
    learner.freeze()
    check_owners(pack)
    assert torch.equal(outputs(pack.materialize("age")), learned)


def test_a_base_that_went_meanwhile_leaves_its_norms_to_the_task() -> None:
    pack = packed(batch_norm)
    teach(pack, "identity")
    learner = learning(pack, sees="none", norms="base")
    pack.remove("identity")
    learned = outputs(learner)
    learner.freeze()
    assert pack.base == "age"
    assert torch.equal(outputs(pack.materialize("age")), learned)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_learner_that_was_cast_is_refused_until_it_computes_what_it_did(
    pack: Pack, dtype: torch.dtype
) -> None:
    learner = learning(pack).to(dtype)
    mend = "cast it back" if dtype == torch.float64 else "learn it again"
    refuses(pack, learner, f"was cast to {dtype}, the pack holds torch.float32; {mend} ")
    with pytest.raises(PackingError, match=f"the learner was cast to {dtype}"):
        learner.widen(1.5)
    learner.float()
    if dtype == torch.float64:
        learner.freeze()
    else:  # what it sees was rounded on the way
        refuses(pack, learner, "what 'age' sees changed")


def test_a_first_task_that_was_cast_can_be_cast_back() -> None:
    learner = learning(packed(batch_norm)).bfloat16()
    with pytest.raises(PackingError, match=r"cast to torch\.bfloat16, .*; cast it back "):
        learner.freeze()
    learner.float().freeze()


@pytest.mark.parametrize(("hooked", "called"), [("head", "the head"), ("backbone.0", "layer '0'")])
def test_a_learner_that_was_given_a_hook_is_refused_until_it_is_removed(
    hooked: str, called: str, pack: Pack
) -> None:
    learner = learning(pack)
    learned = outputs(learner)
    layer = learner.get_submodule(hooked)
    hook = layer.register_forward_hook(lambda module, inputs, output: 10 * output)
    refuses(pack, learner, f"{called} has hooks, which a pack cannot keep; remove them")
    hook.remove()
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("age")), learned)


def test_a_task_on_the_bases_norms_that_something_changed_is_refused(pack: Pack) -> None:
    learner = learning(pack, norms="base")
    torch.optim.swa_utils.update_bn([images() * 3], learner)
    refuses(pack, learner, r"'\w+\.running_mean' of task 'age' .* uses throughout;")


def test_a_head_that_finds_its_shape_by_itself_can_be_learnt(pack: Pack) -> None:
    learner = pack.learn("age", head=nn.LazyLinear(2))
    learned = outputs(learner.eval())
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("age")), learned)


def test_a_refused_learner_can_be_frozen_once_there_is_room(pack: Pack) -> None:
    learner = learning(pack)
    teach(pack, "pose")
    refuses(pack, learner, "taken by another task")
    pack.remove("pose")
    learned = outputs(learner)
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("age")), learned)


def test_what_a_grid_makes_infinite_is_refused(pack: Pack) -> None:
    learner = learning(pack)
    with torch.no_grad():
        for theta, _ in learner.owned().values():
            theta.add_(1e5)  # beyond the largest float16
    learner.snap("float16")
    refuses(pack, learner, r"task 'age': backbone\..* holds values that are not finite")
