"""Fewer channels for a task, as long as its goal holds: its own part of a pass costs less."""

from __future__ import annotations

from typing import Any

from paenet.packing import Learner, Pack, Schedule, Trial, next_share, width_above, width_for
from paenet.training.algorithm.stages import TaskTraining
from paenet.training.errors import RecipeError
from paenet.training.machine import derive
from paenet.training.recipe import TaskPlan


def narrow_to_goal(training: TaskTraining, pack: Pack, held: str) -> str:
    """Takes channels away in stages, retrains after each, and keeps the last that held the goal.

    Args:
        held: the stage whose state the learner is in.

    Returns:
        The stage whose state it is in then.
    """
    plan = training.material.plan
    say = training.session.reporter.say
    if training.learner.maps is not None:
        say(f"{plan.name}: was widened, so it keeps its channels")
        return held
    rate = plan.channels.rate or plan.budget.rate / 2
    schedule = Schedule(end=plan.channels.to, stages=plan.channels.stages)
    whole = training.learner.width
    trials: list[Trial] = []
    while (share := next_share(schedule, trials, 0)) is not None:
        width = _width(pack, training.learner, whole, 1 - share)
        if width is None:
            say(f"{plan.name}: nothing that follows its stem has a width of its own")
            break
        stage = len(trials) + 1
        key = f"{plan.name}/channels-{stage}"
        undo = training.narrow(width, derive(training.session.recipe.seed, plan.name, key))
        reached = training.stage(key, plan.channels.epochs, rate)
        holds = training.judge(f"{share:.1%} of its weights given up in channels", reached)
        trials.append(Trial(share, holds))
        if not holds:
            training.forget(key)
            undo()
            training.restore(held)
        else:
            training.forget(held)
            held = key
    return held


def check_channels(plan: TaskPlan, *, first: bool, norms: str) -> None:
    """Refuses a plan whose task cannot give channels up.

    Args:
        first: whether it is the first task of its network.
        norms: `own` or `base`.

    Raises:
        RecipeError: with the reason.
    """
    if plan.channels.to > 0 and (first or norms == "base"):
        reason = "it is the first in its network" if first else "norms: base has the base's"
        raise RecipeError(f"task {plan.name!r}: channels.to: it keeps its channels, for {reason}")


def _width(pack: Pack, learner: Learner, whole: Any, ratio: float) -> Any:
    """The width at which what is the task's own has such a part of its weights; None for none."""
    if pack.builder is None:
        raise RecipeError(f"task {learner.name!r}: channels.to needs a builder of the network")
    if learner.split is not None:
        return width_above(pack.builder, learner.split, ratio, whole)
    if not isinstance(whole, int | float):
        raise RecipeError(
            f"task {learner.name!r}: channels.to without a stem needs a network of one width factor"
        )
    return width_for(pack.builder, ratio, float(whole))
