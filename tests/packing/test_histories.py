"""The laws over random histories: tasks learnt, pruned, widened, narrowed, removed in any order."""

import copy
from dataclasses import dataclass

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paenet.packing import Learner
from tests.packing.networks import (
    NETWORKS,
    OPTIMIZERS,
    Promise,
    backbone_outputs,
    check_owners,
    head,
    outputs,
    packed,
    train,
)

NAMES = ("identity", "gender", "age", "expression", "pose")
WIDEST = 3.0


@dataclass(frozen=True)
class Lesson:
    """How a task is learnt."""

    sees: str
    picks: bool
    norms: str
    claims: str
    optimizer: str
    autocast: bool
    widen: tuple[float, ...]
    narrow: float | None
    prune: tuple[float, ...]
    rank: str


LESSONS = st.builds(
    Lesson,
    sees=st.sampled_from(["base", "base", "all", "none", "random"]),
    picks=st.booleans(),
    norms=st.sampled_from(["own", "own", "base"]),
    claims=st.sampled_from(["free", "free", "free", "new", "none"]),
    optimizer=st.sampled_from(sorted(OPTIMIZERS)),
    autocast=st.booleans(),
    widen=st.sampled_from([(), (), (1.3,), (1.7,), (1.4, 1.3)]),
    narrow=st.sampled_from([None, None, 0.7, 0.4]),
    prune=st.sampled_from([(), (0.3,), (0.5,), (0.2, 0.8), (0.95,)]),
    rank=st.sampled_from(["layer", "global"]),
)


class History(RuleBasedStateMachine):
    """One pack and everything that may happen to it."""

    @initialize(network=st.sampled_from(sorted(NETWORKS)))
    def begin(self, network: str) -> None:
        torch.manual_seed(0)
        self.pack = packed(NETWORKS[network])
        self.promise = Promise()

    @precondition(lambda self: len(self.pack.tasks) < len(NAMES))
    @rule(lesson=LESSONS, data=st.data())
    def add(self, lesson: Lesson, data: st.DataObject) -> None:
        tasks = sorted(self.pack.tasks)
        sees: str | list[str] = lesson.sees
        if sees == "random":
            sees = data.draw(st.lists(st.sampled_from(tasks), unique=True)) if tasks else []
        name = next(name for name in NAMES if name not in tasks)
        norms = lesson.norms if tasks else "own"
        learner = self.pack.learn(
            name, head=head(), sees=sees, norms=norms, claims=lesson.claims, picks=lesson.picks
        )
        if tasks and learner.sees == (self.pack.base,):
            self._starts_as_the_base(learner)
        make = OPTIMIZERS[lesson.optimizer]
        train(learner, 1, make, lesson.autocast)
        for ratio in lesson.widen:
            if learner.claims != "none" and learner.width < WIDEST:
                self._widen(learner, learner.width * ratio)
                train(learner, 1, make, lesson.autocast)
        if tasks and norms == "own" and learner.maps is None and lesson.narrow is not None:
            learner.narrow(learner.width * lesson.narrow)
            train(learner, 1, make, lesson.autocast)
        for share in lesson.prune:
            self._prune(learner, share, lesson.rank)
            train(learner, 1, make, lesson.autocast)
        self.promise.check(self.pack)
        self._freeze(learner)

    def _starts_as_the_base(self, learner: Learner) -> None:
        base = self.pack.materialize(str(self.pack.base))
        before, now = backbone_outputs(base), backbone_outputs(learner)
        if self.pack.tasks[str(self.pack.base)].width == len(self.pack.widths) - 1:
            assert torch.equal(now, before)
        else:  # more channels, whose parts are zero, are summed in another order
            torch.testing.assert_close(now, before, rtol=1e-4, atol=1e-5)

    def _widen(self, learner: Learner, width: float) -> None:
        before, weights = outputs(learner), learner.weights
        learner.widen(width)
        torch.testing.assert_close(outputs(learner), before, rtol=1e-4, atol=1e-4)
        assert learner.weights >= weights

    def _prune(self, learner: Learner, share: float, rank: str) -> None:
        before = {name: owned.trainable.clone() for name, (_, owned) in learner.owned().items()}
        learner.prune(to=share, rank=rank)
        for name, (_, owned) in learner.owned().items():
            assert not (owned.trainable & ~before[name]).any()
        expected = sum(round(count * (1 - share)) for count in learner.claimed.values())
        assert learner.weights <= expected

    def _freeze(self, learner: Learner) -> None:
        name, weights, learned = learner.name, learner.weights, outputs(learner)
        owned = {other: self.pack.weights(other) for other in self.pack.tasks}
        learner.freeze()
        assert torch.equal(outputs(self.pack.materialize(name)), learned)
        assert self.pack.weights(name) == weights
        assert {other: self.pack.weights(other) for other in owned} == owned
        self.promise.make(self.pack, name)

    @precondition(lambda self: self._removable())
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._removable()))
        self.pack.remove(name)
        self.promise.release(name)

    @rule()
    def go_on_with_a_copy(self) -> None:
        self.pack = copy.deepcopy(self.pack)

    def _removable(self) -> list[str]:
        tasks = self.pack.tasks.values()
        borrowed = {
            self.pack.base
            for task in tasks
            if task.name != self.pack.base and task.private.keys() < set(self.pack.layout.private)
        }
        used = {seen for task in tasks for seen in task.sees} | borrowed
        return sorted(set(self.pack.tasks) - used)

    @invariant()
    def older_tasks_are_what_they_were(self) -> None:
        if hasattr(self, "promise"):
            self.promise.check(self.pack)

    @invariant()
    def a_weight_has_one_owner_or_is_zero(self) -> None:
        if hasattr(self, "pack") and not self.pack.untouched:
            check_owners(self.pack)

    @invariant()
    def materialised_tasks_share_nothing_with_the_pack(self) -> None:
        if hasattr(self, "pack"):
            held = {layer.theta.data_ptr() for layer in self.pack.layers.values()}
            for name in self.pack.tasks:
                assert all(
                    p.data_ptr() not in held for p in self.pack.materialize(name).parameters()
                )


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=30, stateful_step_count=8, deadline=None)


def test_the_same_history_gives_the_same_fingerprints() -> None:
    def history() -> dict[str, str]:
        torch.manual_seed(0)
        pack = packed(NETWORKS["residual"])
        for name, width in (("identity", None), ("gender", 1.5), ("age", None)):
            learner = pack.learn(name, head=head())
            if width is not None:
                learner.widen(width)
            train(learner)
            learner.prune(to=0.6, rank="global")
            learner.freeze()
        return {name: pack.fingerprint(name) for name in pack.tasks}

    assert history() == history()
    assert len(set(history().values())) == 3


def test_the_probe_sees_every_weight() -> None:
    # The promise is as good as its probe: a changed weight of the task must change its outputs.
    pack = packed(NETWORKS["concatenation"])
    learner = pack.learn("identity", head=head())
    train(learner)
    learner.freeze()
    network = pack.materialize("identity")
    before = outputs(network)
    for name, parameter in network.named_parameters():
        x = parameter.detach().clone()
        parameter.data.mul_(1.5).add_(0.1)
        assert not torch.equal(outputs(network), before), f"{name} does not show"
        parameter.data.copy_(x)
