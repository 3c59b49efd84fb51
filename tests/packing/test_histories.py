"""The laws over random histories: whatever is learnt, pruned, widened and removed, in any order."""

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paenet.packing import Learner, Pack
from tests.packing.networks import (
    NETWORKS,
    OPTIMIZERS,
    Promise,
    backbone_outputs,
    check_owners,
    head,
    images,
    outputs,
    packed,
    train,
)

WIDEST = 3.0
NAMES = ("identity", "gender", "age", "expression")


class History(RuleBasedStateMachine):
    """One pack, at most one learner at a time, and everything that may happen to the two."""

    pack: Pack
    promise: Promise
    learner: Learner | None = None

    @initialize(network=st.sampled_from(sorted(NETWORKS)))
    def begin(self, network: str) -> None:
        torch.manual_seed(0)
        self.pack = packed(NETWORKS[network])
        self.promise = Promise()

    @precondition(lambda self: self.learner is None and len(self.pack.tasks) < len(NAMES))
    @rule(
        sees=st.sampled_from(["base", "base", "all", "none", "random"]),
        norms=st.sampled_from(["own", "own", "base"]),
        claims=st.sampled_from(["free", "free", "free", "new", "none"]),
        data=st.data(),
    )
    def learn(self, sees: str, norms: str, claims: str, data: st.DataObject) -> None:
        tasks = sorted(self.pack.tasks)
        if sees == "random":
            sees = data.draw(st.lists(st.sampled_from(tasks), unique=True)) if tasks else []
        norms = norms if tasks else "own"
        name = next(name for name in NAMES if name not in tasks)
        learner = self.pack.learn(name, head=head(), sees=sees, norms=norms, claims=claims)
        if tasks and learner.sees == (self.pack.base,):
            self._starts_as_the_base(learner)
        self.learner = learner

    def _starts_as_the_base(self, learner: Learner) -> None:
        base = self.pack.materialize(str(self.pack.base))
        before, now = backbone_outputs(base), backbone_outputs(learner)
        if self.pack.tasks[str(self.pack.base)].width == len(self.pack.widths) - 1:
            assert torch.equal(now, before)
        else:  # more channels, all of them zero, are summed in another order
            torch.testing.assert_close(now, before, rtol=1e-4, atol=1e-5)

    @precondition(lambda self: self.learner is not None)
    @rule(optimizer=st.sampled_from(sorted(OPTIMIZERS)), autocast=st.booleans())
    def train(self, optimizer: str, autocast: bool) -> None:
        assert self.learner is not None
        train(self.learner, 1, OPTIMIZERS[optimizer], autocast)

    @precondition(lambda self: self.learner is not None)
    @rule(to=st.floats(0, 0.95), rank=st.sampled_from(["layer", "global"]))
    def prune(self, to: float, rank: str) -> None:
        assert self.learner is not None
        before = {name: owned.trainable.clone() for name, (_, owned) in self.learner.owned().items()}
        self.learner.prune(to=to, rank=rank)
        for name, (_, owned) in self.learner.owned().items():
            assert not (owned.trainable & ~before[name]).any()
        claimed = sum(self.learner.claimed.values())
        assert self.learner.weights <= claimed * (1 - to) + len(before)  # each layer is rounded

    @precondition(
        lambda self: (
            self.learner is not None
            and self.learner.claims != "none"
            and self.learner.width < WIDEST
        )
    )
    @rule(ratio=st.sampled_from([1.3, 1.7]))
    def widen(self, ratio: float) -> None:
        assert self.learner is not None
        before, weights = outputs(self.learner), self.learner.weights
        self.learner.widen(self.learner.width * ratio)
        torch.testing.assert_close(outputs(self.learner), before, rtol=1e-4, atol=1e-4)
        assert self.learner.weights >= weights

    @precondition(lambda self: self.learner is not None)
    @rule()
    def freeze(self) -> None:
        assert self.learner is not None
        name, weights, learned = self.learner.name, self.learner.weights, outputs(self.learner)
        owned = {other: self.pack.weights(other) for other in self.pack.tasks}
        self.learner.freeze()
        self.learner = None
        assert torch.equal(outputs(self.pack.materialize(name)), learned)
        assert self.pack.weights(name) == weights
        assert {other: self.pack.weights(other) for other in owned} == owned
        self.promise.make(self.pack, name)

    @precondition(lambda self: self.learner is not None)
    @rule()
    def abandon(self) -> None:
        self.learner = None

    @precondition(lambda self: self.learner is None and self._removable())
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self._removable()))
        self.pack.remove(name)
        self.promise.release(name)

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
                assert all(p.data_ptr() not in held for p in self.pack.materialize(name).parameters())


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=40, stateful_step_count=14, deadline=None)


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
    assert images().shape == (6, 3, 8, 8)
