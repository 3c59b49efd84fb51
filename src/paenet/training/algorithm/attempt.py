"""One task on one stem: trained, and widened while the goal is missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from paenet.packing import Learner, Pack, seeded, weights_at, width_above, width_for
from paenet.packing.widening import Builder
from paenet.tasks import Task
from paenet.training.algorithm.feeding import Views
from paenet.training.algorithm.stages import TaskTraining
from paenet.training.algorithm.stemming import NONE
from paenet.training.algorithm.threshold import Threshold
from paenet.training.errors import RunError
from paenet.training.examples import Material
from paenet.training.machine import derive
from paenet.training.recipe import TaskPlan, Widen
from paenet.training.session import Session

_LEAST_GROWTH = 1.01  # less is not worth a training


class Attempt:
    """A learner of a task, with the stages that it has gone through.

    Args:
        threshold: of its stages.
        given: the state of the network that the pack was started from, where it is at hand.
        stem: of the learner.
        views: of each stem that is tried, see `room`.

    Attributes:
        training: of its learner.
        key: the stage whose state the learner is in.
        widened: how often filters were added.
    """

    def __init__(
        self,
        session: Session,
        pack: Pack,
        material: Material,
        threshold: Threshold,
        given: Mapping[str, Tensor] | None,
        stem: str | None,
        views: Views,
    ) -> None:
        plan, method = material.plan, session.method
        self._pack = pack
        self._seed = derive(session.recipe.seed, plan.name)
        self._stem = stem
        # The stages of an only attempt need no more than their own names.
        self._suffix = "" if len(views) == 1 else f"-{stem or NONE}"
        self.key = ""
        self.widened = 0
        learner = pack.learn(
            plan.name,
            head=new_head(material.task, session.features, self._seed),
            sees=method.sees,
            # The first task has nothing to stand on.
            norms=session.recipe.norms if pack.base is not None else "own",
            claims=method.claims,
            stem=stem,
            picks=method.picks,
            seed=self._seed,
        )
        later = pack.base is not None
        if plan.start == "given" and given is not None and later:
            learner.warm_start(given)
        self.training = TaskTraining(
            session,
            material,
            pack,
            learner,
            plan.budget,
            self._seed,
            threshold,
            views,
            from_zero=later and plan.start == "given" and given is None,
        )

    def train(self) -> float:
        """Trains, and widens as the method says; returns what was reached on validation."""
        training = self.training
        plan, widens = training.material.plan, training.session.method.widens
        self._tell_what_is_free()
        if widens == "always" and self._pack.base is not None:
            width = self._wider()
            if width is None:
                raise RunError(
                    f"task {plan.name!r}: there is no wider network for its column; raise "
                    "widen.at_most or widen.ratio, or give a widen.width beyond "
                    f"{training.learner.width}"
                )
            training.widen(width, derive(self._seed, "column"))
        self.key = f"{plan.name}/train{self._suffix}"
        first = f"{plan.name}/pretrain{self._suffix}"
        if plan.pretrain is not None:
            training.judge("pretrained", training.pretrain(first))
        reached = training.stage(self.key, plan.budget.epochs, plan.budget.rate)
        if plan.pretrain is not None:
            training.forget(first)
        after = "" if self._stem is None else f" after stem {self._stem!r}"
        holds = training.judge(f"trained{after}", reached)
        times = plan.widen.times if widens == "when-missed" else 0
        while not holds and self.widened < times:
            width = self._wider()
            if width is None:
                break
            self.widened += 1
            before, self.key = self.key, f"{plan.name}/widen-{self.widened}{self._suffix}"
            training.widen(width, derive(self._seed, "widen", self.widened))
            reached = training.stage(self.key, plan.budget.epochs, plan.budget.rate)
            training.forget(before)
            weights = f"{training.learner.weights:,} weights"
            holds = training.judge(f"widened to {weights}{after}", reached)
        return reached

    def give_up(self) -> None:
        """Drops what was learnt: another attempt follows."""
        self.training.forget(self.key)

    def _tell_what_is_free(self) -> None:
        """Says so where there is nothing to train but norms and head: it is seldom meant."""
        session, plan = self.training.session, self.training.material.plan
        # After a stem there may be no layer at all, which is no lack of free weights.
        alone = self._stem is None and session.method.claims == "free"
        if alone and self.training.learner.weights == 0:
            session.reporter.say(
                f"{plan.name}: no weight is free, so norms and head alone are trained; let it "
                "widen, or earlier tasks prune more (prune.bisections finds how much holds a goal)"
            )

    def _wider(self) -> Any:
        return _next_width(self.training.material.plan, self._pack, self.training.learner)


def _next_width(plan: TaskPlan, pack: Pack, learner: Learner) -> Any:
    """The width to widen to; None where nothing that follows the stem can grow, or no further."""
    if plan.widen.width is not None:
        return None if plan.widen.width == learner.width else plan.widen.width
    if pack.builder is None or not isinstance(learner.width, int | float | Mapping):
        raise RunError(
            f"task {plan.name!r}: widen.ratio needs a network of one width factor, or of one per "
            "layer; give widen.width"
        )
    ratio = _growth(plan.widen, pack.builder, learner)
    if ratio < _LEAST_GROWTH:
        return None
    if learner.split is not None:
        return width_above(pack.builder, learner.split, ratio, learner.width)
    return width_for(pack.builder, ratio, learner.width)


def _growth(widen: Widen, builder: Builder, learner: Learner) -> float:
    """How many times the weights that follow its stem a network is to have."""
    now = weights_at(builder, learner.width)
    below = sum(now[layer] for layer in learner.split.layers) if learner.split else 0
    above = sum(now.values()) - below
    if widen.at_most is None or above == 0:
        return widen.ratio
    most = widen.at_most * sum(weights_at(builder, 1.0).values())
    return min(widen.ratio, (most - below) / above)


def new_head(task: Task, features: int, seed: int) -> nn.Module:
    """A task's head for a backbone of so many features, drawn from `seed`."""
    with seeded(derive(seed, "head")):
        return task.head(features)
