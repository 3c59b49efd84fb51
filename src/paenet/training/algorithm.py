"""Algorithm 1 of the paper: one task learnt, widened where it must be, pruned while it holds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from torch import nn

from paenet.packing import (
    Learner,
    Method,
    Pack,
    Schedule,
    Trial,
    largest_held,
    next_share,
    width_for,
)
from paenet.tasks import Task
from paenet.training.base import features_of
from paenet.training.data import Batches, View, place
from paenet.training.errors import GoalMissed, RunError
from paenet.training.fit import Stage, Trainee, fit
from paenet.training.journal import Journal
from paenet.training.material import Material
from paenet.training.plan import Budget, TaskPlan
from paenet.training.precision import Precision
from paenet.training.progress import Reporter
from paenet.training.randomness import derive, seeded
from paenet.training.recipe import Recipe
from paenet.training.state import load_state, save_state


@dataclass(frozen=True)
class Session:
    """What every part of a run needs: where it is, how it computes, whom it tells.

    Attributes:
        folder: the run's directory.
        cache: where what can be made again is kept.
        limit: at most so many examples of a split.
        precision: what training computes in.
        weights: SHA-256 of the given network's file, None where it started from random values.
    """

    recipe: Recipe
    method: Method
    folder: Path
    cache: Path
    view: View
    limit: int | None
    precision: Precision
    weights: str | None
    accelerator: Accelerator
    journal: Journal
    reporter: Reporter

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint.safetensors"


class TaskTraining:
    """The stages of one task, each run once and read from the record ever after.

    The learner's state after a stage is kept in a file until a later stage replaces it, so that
    a stage that misses the goal can be undone, in this process or the next.
    """

    def __init__(
        self,
        session: Session,
        material: Material,
        pack: Pack,
        learner: Learner,
        budget: Budget,
        seed: int,
        threshold: float | None = None,
    ) -> None:
        self._session = session
        self._material = material
        self._budget = budget
        self._seed = seed
        self._start = _start_of(pack)
        self._threshold = threshold
        self._missing: Path | None = None  # the state that the learner should be in, where lost
        self._reached: float | None = None
        features = features_of(learner.skeleton[0], session.view)
        with seeded(derive(seed, "criterion")):
            self._criterion = material.task.criterion(features, material.training_targets)
        self.learner = learner
        self._place()

    def stage(self, key: str, epochs: float, rate: float) -> float:
        """Trains for so many epochs; returns the goal's metric on validation."""
        journal = self._session.journal
        entry = journal.result(key)
        if entry is not None and entry.get("pack", self._start) == self._start:
            # A state that a later stage has replaced is gone, and no one will ask for it.
            self._missing = None if self._state(key).exists() else self._state(key)
            if self._missing is None:
                self.restore(key)
            return self._note(entry["metrics"])
        self.refuse_missing()
        trainee = Trainee(
            self.learner,
            self._criterion,
            self._material.teacher,
            fixed_statistics=self._budget.statistics == "fixed",
        )
        seconds = fit(
            Stage(key, epochs, rate, self._budget.decay, self._status()),
            trainee,
            self._batches(key),
            self._session.view,
            accelerator=self._session.accelerator,
            checkpoint=self._session.checkpoint,
            checkpoint_seconds=self._session.recipe.checkpoint_seconds,
            origin={"plan": journal.plan(key), "pack": self._start},
            reporter=self._session.reporter,
        )
        metrics = self._validate()
        if self._session.accelerator.is_main_process:
            save_state(self._state(key), self._saved(), None, {"key": key})
        journal.write(
            key,
            pack=self._start,
            metrics=metrics,
            weights=self.learner.weights,
            sparsity=round(self.learner.sparsity, 6),
            seconds=round(seconds, 3),
        )
        if self._session.accelerator.is_main_process:
            self._session.checkpoint.unlink(missing_ok=True)
        return self._note(metrics)

    def widen(self, width: Any, seed: int) -> None:
        """Adds filters; the next stage trains them."""
        self.learner.widen(width, seed=seed)
        self._place()

    def restore(self, key: str) -> None:
        """Puts the state after stage `key` back."""
        load_state(self._state(key), self._saved())
        self._missing = None

    def refuse_missing(self) -> None:
        """Refuses to go on from a state that is on record, but lost.

        Raises:
            RunError: names its file.
        """
        if self._missing is not None:
            raise RunError(
                f"{self._missing}: is missing, though the stage is on record; put it back, or "
                f"remove the lines of this task from {self._session.journal.record}"
            )

    def forget(self, key: str) -> None:
        """Drops the state after stage `key`."""
        self._session.accelerator.wait_for_everyone()  # another process may still be reading it
        if self._session.accelerator.is_main_process:
            self._state(key).unlink(missing_ok=True)

    def _note(self, metrics: dict[str, dict[str, Any]]) -> float:
        self._reached = float(metrics[self._material.task.metric]["value"])
        return self._reached

    def _status(self) -> str:
        """Sparsity, what was reached last and the goal, as far as they are known."""
        parts = [f"{self.learner.sparsity:.0%} released"]
        if self._reached is not None:
            parts.append(f"{self._material.task.metric} {self._reached:.4f}")
        if self._threshold is not None:
            parts.append(f"goal {self._threshold:.4f}")
        return ", ".join(parts)

    def _validate(self) -> dict[str, dict[str, Any]]:
        """Metrics on validation; computed by one process and told to the others."""
        told: list[Any] = [None]
        if self._session.accelerator.is_main_process:
            told = [self._material.measure(self.learner, self._material.val)]
        broadcast_object_list(told)
        result: dict[str, dict[str, Any]] = told[0]
        return result

    def _batches(self, key: str) -> Batches:
        accelerator = self._session.accelerator
        return Batches(
            self._material.train,
            self._budget,
            self._session.recipe.input.augment.settings(),
            self._seed,
            key,
            accelerator.process_index,
            accelerator.num_processes,
        )

    def _saved(self) -> nn.ModuleDict:
        return nn.ModuleDict({"learner": self.learner, "criterion": self._criterion})

    def _state(self, key: str) -> Path:
        return _state_file(self._session, key)

    def _place(self) -> None:
        place(self.learner, self._session.accelerator.device)
        self._criterion.to(self._session.accelerator.device)


def _start_of(pack: Pack) -> str:
    """A short hash of what a learner starts from: where it is another, its stages are run anew."""
    widths = [width.width for width in pack.widths]
    tasks = [(name, pack.fingerprint(name)) for name in pack.tasks]
    return hashlib.sha256(repr((pack.untouched, widths, tasks)).encode()).hexdigest()[:12]


def forget_states(session: Session, task: str) -> None:
    """Drops every state that the stages of a learnt task have left."""
    for key in session.journal.keys(task):
        _state_file(session, key).unlink(missing_ok=True)


def _state_file(session: Session, key: str) -> Path:
    return session.folder / f"state-{key.replace('/', '-')}.safetensors"


def learn(session: Session, pack: Pack, material: Material, threshold: float) -> Learner:
    """Learns one task to its goal in the free weights of `pack`; the caller freezes it.

    Raises:
        GoalMissed: where it is not, and the plan says to stop then.
    """
    plan, method = material.plan, session.method
    seed = derive(session.recipe.seed, plan.name)
    learner = pack.learn(
        plan.name,
        head=new_head(material.task, pack, session.view, seed),
        sees="all" if method.sees == "pick" else method.sees,
        # The first task has nothing to stand on: it owns the base, whatever the method.
        norms=session.recipe.norms if pack.base is not None else "own",
        claims=method.claims if pack.base is not None else "free",
        seed=seed,
    )
    training = TaskTraining(session, material, pack, learner, plan.budget, seed, threshold)
    if method.widens == "always" and pack.base is not None:
        training.widen(_next_width(plan, pack, learner), derive(seed, "column"))
    key = f"{plan.name}/train"
    reached = training.stage(key, plan.budget.epochs, plan.budget.rate)
    _tell(session, material, "trained", reached, threshold)
    widened = 0
    while reached < threshold and method.widens == "when-missed" and widened < plan.widen.times:
        widened += 1
        before, key = key, f"{plan.name}/widen-{widened}"
        training.widen(_next_width(plan, pack, learner), derive(seed, "widen", widened))
        reached = training.stage(key, plan.budget.epochs, plan.budget.rate)
        training.forget(before)
        _tell(session, material, f"widened to {learner.weights:,} weights", reached, threshold)
    if reached < threshold:
        if plan.goal.missed == "stop":
            raise GoalMissed(_missed(material, reached, threshold, widened, session))
        # Prune while what was reached holds, as loosely as the goal: a task that asked for more
        # than it could have must not keep all the free weights.
        threshold = reached - (plan.goal.within or 0.0)
    if method.prunes != "never" and plan.prune.stages > 0 and plan.prune.to > 0:
        _prune(session, training, material, threshold, key)
    training.refuse_missing()
    return learner


def _prune(
    session: Session, training: TaskTraining, material: Material, threshold: float, held: str
) -> None:
    """Prunes in stages, retrains after each, and goes back to the last that held the goal.

    Args:
        held: the stage whose state the learner is in.
    """
    plan = material.plan.prune
    schedule = Schedule(end=plan.to, stages=plan.stages)
    trials: list[Trial] = []
    while (share := next_share(schedule, trials, plan.bisections)) is not None:
        key = f"{material.plan.name}/prune-{len(trials) + 1}"
        training.learner.prune(share, rank=plan.rank)
        reached = training.stage(key, plan.epochs, plan.rate or material.plan.budget.rate / 2)
        holds = reached >= threshold or session.method.prunes == "by-ratio"
        trials.append(Trial(share, holds))
        _tell(session, material, f"pruned to {share:.1%} released", reached, threshold)
        if holds:
            training.forget(held)
            held = key
        else:
            training.forget(key)
            training.restore(held)
    session.reporter.say(
        f"{material.plan.name}: keeps {training.learner.weights:,} weights, "
        f"{largest_held(schedule, trials):.1%} of its own released"
    )


def _next_width(plan: TaskPlan, pack: Pack, learner: Learner) -> Any:
    if plan.widen.width is not None:
        return plan.widen.width
    if pack.builder is None or not isinstance(learner.width, int | float):
        raise RunError(
            f"task {plan.name!r}: widen.ratio needs a network of one width factor; give "
            "widen.width, a factor per layer"
        )
    return width_for(pack.builder, plan.widen.ratio, float(learner.width))


def new_head(task: Task, pack: Pack, view: View, seed: int) -> nn.Module:
    """A task's head for the pack's backbone, drawn from `seed`."""
    with seeded(derive(seed, "head")):
        return task.head(features_of(pack.widths[0].skeleton, view))


def _tell(
    session: Session, material: Material, what: str, reached: float, threshold: float
) -> None:
    verdict = "held" if reached >= threshold else "missed"
    session.reporter.say(
        f"{material.plan.name}: {what}: {material.task.metric} {reached:.4f} on validation, "
        f"goal {threshold:.4f} {verdict}"
    )


def _missed(
    material: Material, reached: float, threshold: float, widened: int, session: Session
) -> str:
    plan = material.plan
    more = (
        f" after widening {widened} times; raise widen.times or budget.epochs, or ask for less"
        if session.method.widens == "when-missed"
        else "; raise budget.epochs, or ask for less"
    )
    return (
        f"task {plan.name!r}: reached {material.task.metric} {reached:.4f} of the goal "
        f"{threshold:.4f}{more} (goal.missed: keep goes on regardless); "
        "the tasks learnt so far are kept"
    )
