"""The stages of a task: each is trained once, judged, kept on record, and can be undone."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, cast

from accelerate.utils import broadcast_object_list
from torch import nn

from paenet.packing import Learner, Pack
from paenet.training.algorithm.feeding import Feed, Views, feed
from paenet.training.algorithm.threshold import Threshold
from paenet.training.errors import RunError
from paenet.training.examples import Material, place
from paenet.training.loop import (
    Batches,
    Stage,
    Trainee,
    estimate_statistics,
    fit,
    load_state,
    save_state,
)
from paenet.training.recipe import Budget
from paenet.training.session import Session


class TaskTraining:
    """The stages of one task, each run once and read from the record ever after.

    The learner's state after a stage is kept in a file until a later stage replaces it, so that
    a stage that misses the goal can be undone, in this process or the next.

    Args:
        budget: of its stages; a network that goals are measured against has its own.
        seed: of order, augmentation and criterion.
        views: of each stem that is tried, see `room`.
        threshold: that stages are judged by; None for a network that goals are measured against.
        from_zero: free weights begin at zero, though the plan would have them begin elsewhere.
    """

    def __init__(
        self,
        session: Session,
        material: Material,
        pack: Pack,
        learner: Learner,
        budget: Budget,
        seed: int,
        threshold: Threshold | None = None,
        views: Views = MappingProxyType({}),
        from_zero: bool = False,
    ) -> None:
        self.session = session
        self.material = material
        self._budget = budget
        self._seed = seed
        self._start = _start_of(pack, from_zero)
        self._threshold = threshold
        self._missing: Path | None = None  # the state that the learner should be in, where lost
        self._reached: float | None = None
        self.learner = learner
        self._pack = pack
        self._views = views
        self._place()

    def stage(self, key: str, epochs: float, rate: float, *, estimate: bool = False) -> float:
        """Trains for so many epochs; returns the goal's metric on validation.

        Args:
            key: unique in the run.
            estimate: estimate the statistics of batch norms anew afterwards, where the budget
                lets them change.
        """
        journal = self.session.journal
        entry = journal.result(key)
        if entry is not None and entry.get("pack", self._start) == self._start:
            self.restore(key)
            return self._note(entry["metrics"])
        self.refuse_missing()
        for theta, _ in self.learner.owned().values():
            theta.requires_grad_(self._budget.weights == "train")
        self.learner.train()  # what is the base's asks for no gradients, before processes share it
        trainee = Trainee(
            self._feed.network,
            self._criterion,
            self.material.teacher,
            fixed_statistics=self._budget.statistics == "fixed",
        )
        seconds = fit(
            Stage(key, epochs, rate, self._budget.decay, self._status()),
            trainee,
            self._batches(key),
            accelerator=self.session.accelerator,
            checkpoint=self.session.checkpoint,
            checkpoint_seconds=self.session.recipe.checkpoint_seconds,
            origin={
                "plan": journal.plan(key),
                "pack": self._start,
                # Each takes its share of every batch, and norms see that alone.
                "processes": str(self.session.accelerator.num_processes),
            },
            reporter=self.session.reporter,
        )
        if estimate and self._budget.statistics == "batch":
            estimate_statistics(
                trainee,
                self._batches(f"{key}/statistics"),
                accelerator=self.session.accelerator,
            )
        metrics = self._validate()
        if self.session.accelerator.is_main_process:
            save_state(self._state(key), self._saved(), None, {"key": key})
        journal.write(
            key,
            pack=self._start,
            metrics=metrics,
            weights=self.learner.weights,
            sparsity=round(self.learner.sparsity, 6),
            seconds=round(seconds, 3),
        )
        if self.session.accelerator.is_main_process:
            self.session.checkpoint.unlink(missing_ok=True)
        return self._note(metrics)

    def pretrain(self, key: str) -> float:
        """Trains on the plan's other examples, with their own budget; as `stage` otherwise."""
        own, budget = self.material, self._budget
        before = own.pretraining()
        self._learn_from(before, before.plan.budget)
        try:
            return self.stage(key, self._budget.epochs, self._budget.rate)
        finally:
            self._learn_from(own, budget)

    def _learn_from(self, material: Material, budget: Budget) -> None:
        self.material, self._budget = material, budget
        for name in ("_feed", "_criterion"):  # which weighs classes by how many there are of each
            self.__dict__.pop(name, None)

    def widen(self, width: Any, seed: int) -> None:
        """Adds filters; the next stage trains them."""
        self.learner.widen(width, seed=seed)
        self._reshaped()

    def narrow(self, width: Any, seed: int) -> Callable[[], None]:
        """Takes channels away; the next stage trains what is left. Returns what puts them back."""
        before = copy.deepcopy(self.learner)
        self.learner.narrow(width, seed=seed)
        self._reshaped()

        def undo() -> None:
            self.learner = before
            self._reshaped()

        return undo

    def restore(self, key: str) -> None:
        """Puts the state after stage `key` back.

        Where a run goes on, a later stage may have replaced it: then that one's is put back next.
        """
        path = self._state(key)
        self._missing = None if path.exists() else path
        if self._missing is None:
            load_state(path, self._saved())

    def refuse_missing(self) -> None:
        """Refuses to go on from a state that is on record, but lost.

        Raises:
            RunError: names its file.
        """
        if self._missing is not None:
            raise RunError(
                f"{self._missing}: is missing, though the stage is on record; put it back, or "
                f"remove the lines of this task from {self.session.journal.record}"
            )

    def forget(self, key: str) -> None:
        """Drops the state after stage `key`."""
        self.session.accelerator.wait_for_everyone()  # another process may still be reading it
        if self.session.accelerator.is_main_process:
            self._state(key).unlink(missing_ok=True)

    def judge(self, what: str, reached: float) -> bool:
        """Says what a stage reached; returns whether its threshold holds."""
        threshold = cast(Threshold, self._threshold)
        holds = threshold.holds(reached)
        self.session.reporter.say(
            f"{self.material.plan.name}: {what}: {self.material.task.metric} {reached:.4f} on "
            f"validation, goal {threshold.value:.4f} {'held' if holds else 'missed'}"
        )
        return holds

    def _note(self, metrics: dict[str, dict[str, Any]]) -> float:
        self._reached = float(metrics[self.material.task.metric]["value"])
        if self._threshold is not None:
            self._threshold.note(self._reached)
        return self._reached

    def _status(self) -> str:
        """Sparsity, what was reached last and the goal, as far as they are known."""
        parts = [f"{self.learner.sparsity:.0%} released"]
        if self._reached is not None:
            parts.append(f"{self.material.task.metric} {self._reached:.4f}")
        if self._threshold is not None:
            parts.append(f"goal {self._threshold.value:.4f}")
        return ", ".join(parts)

    def _validate(self) -> dict[str, dict[str, Any]]:
        """Metrics on validation; computed by one process and told to the others."""
        told: list[Any] = [None]
        feed = self._feed
        if self.session.accelerator.is_main_process:
            told = [self.material.measure(feed.network, self.material.val, feed.sources["val"])]
        broadcast_object_list(told)
        result: dict[str, dict[str, Any]] = told[0]
        return result

    def _batches(self, key: str) -> Batches:
        accelerator = self.session.accelerator
        return Batches(
            self._feed.sources["train"],
            self.material.train.targets,
            self._budget,
            self._seed,
            key,
            accelerator.process_index,
            accelerator.num_processes,
        )

    def _saved(self) -> nn.ModuleDict:
        return nn.ModuleDict({"learner": self.learner, "criterion": self._criterion})

    def _state(self, key: str) -> Path:
        return _state_file(self.session, key)

    @cached_property
    def _criterion(self) -> nn.Module:
        criterion = self.material.criterion(self.session.features, self._seed)
        return criterion.to(self.session.accelerator.device)

    @cached_property
    def _feed(self) -> Feed:
        """What is trained and with what; made when it is first needed, for a stem costs a pass."""
        return feed(self.session, self.material, self._pack, self.learner, self._views)

    def _reshaped(self) -> None:
        self.__dict__.pop("_feed", None)  # of the network as it was
        self._place()

    def _place(self) -> None:
        place(self.learner, self.session.accelerator.device)


def _start_of(pack: Pack, from_zero: bool) -> str:
    """A short hash of what a learner starts from: where it is another, its stages are run anew."""
    widths = [width.width for width in pack.widths]
    tasks = [(name, pack.fingerprint(name)) for name in pack.tasks]
    facts = (pack.untouched, widths, tasks) + (("from zero",) if from_zero else ())
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]


def forget_states(session: Session, task: str) -> None:
    """Drops every state that the stages of a learnt task have left."""
    for key in session.journal.keys(task):
        _state_file(session, key).unlink(missing_ok=True)


def _state_file(session: Session, key: str) -> Path:
    return session.folder / f"state-{key.replace('/', '.')}.safetensors"  # no dots in a name
