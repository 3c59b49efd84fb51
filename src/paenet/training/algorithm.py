"""Algorithm 1 of the paper: one task learnt, widened where it must be, pruned while it holds."""

from __future__ import annotations

from typing import Any

from torch import nn

from paenet.packing import (
    NATIVE,
    Learner,
    Pack,
    Schedule,
    Trial,
    largest_held,
    next_share,
    width_for,
)
from paenet.tasks import Task
from paenet.training.base import features_of
from paenet.training.data import View
from paenet.training.errors import GoalMissed, RunError
from paenet.training.material import Material
from paenet.training.plan import TaskPlan
from paenet.training.randomness import derive, seeded
from paenet.training.session import Session
from paenet.training.snapping import snap_to_goal
from paenet.training.stages import TaskTraining


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
    training.tell("trained", reached, threshold)
    widened = 0
    while reached < threshold and method.widens == "when-missed" and widened < plan.widen.times:
        widened += 1
        before, key = key, f"{plan.name}/widen-{widened}"
        training.widen(_next_width(plan, pack, learner), derive(seed, "widen", widened))
        reached = training.stage(key, plan.budget.epochs, plan.budget.rate)
        training.forget(before)
        training.tell(f"widened to {learner.weights:,} weights", reached, threshold)
    if reached < threshold:
        if plan.goal.missed == "stop" and session.limit is None:
            raise GoalMissed(_missed(material, reached, threshold, widened, session))
        # Prune while what was reached holds, as loosely as the goal: a task that asked for more
        # than it could have must not keep all the free weights.
        threshold = reached - (plan.goal.within or 0.0)
    if method.prunes != "never" and plan.prune.stages > 0 and plan.prune.to > 0:
        key = _prune(training, threshold, key)
    if plan.values.grid != NATIVE:
        snap_to_goal(training, threshold, key)
    training.refuse_missing()
    return learner


def _prune(training: TaskTraining, threshold: float, held: str) -> str:
    """Prunes in stages, retrains after each, and goes back to the last that held the goal.

    Args:
        held: the stage whose state the learner is in.

    Returns:
        The stage whose state it is in then.
    """
    name, plan = training.material.plan.name, training.material.plan.prune
    rate = plan.rate or training.material.plan.budget.rate / 2
    schedule = Schedule(end=plan.to, stages=plan.stages)
    trials: list[Trial] = []
    while (share := next_share(schedule, trials, plan.bisections)) is not None:
        key = f"{name}/prune-{len(trials) + 1}"
        training.learner.prune(share, rank=plan.rank)
        reached = training.stage(key, plan.epochs, rate)
        holds = reached >= threshold or training.session.method.prunes == "by-ratio"
        trials.append(Trial(share, holds))
        training.tell(f"pruned to {share:.1%} released", reached, threshold)
        if holds:
            training.forget(held)
            held = key
        else:
            training.forget(key)
            training.restore(held)
    training.session.reporter.say(
        f"{name}: keeps {training.learner.weights:,} weights, "
        f"{largest_held(schedule, trials):.1%} of its own released"
    )
    return held


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


def _missed(
    material: Material, reached: float, threshold: float, widened: int, session: Session
) -> str:
    plan = material.plan
    more = (
        f"{_after(widened)}; raise widen.times or budget.epochs, or ask for less"
        if session.method.widens == "when-missed"
        else "; raise budget.epochs, or ask for less"
    )
    return (
        f"task {plan.name!r}: reached {material.task.metric} {reached:.4f} of the goal "
        f"{threshold:.4f}{more} (goal.missed: keep goes on regardless); "
        "the tasks learnt so far are kept"
    )


def _after(widened: int) -> str:
    """How often filters were added in vain, as the end of a sentence."""
    times = {0: "", 1: " after widening once"}
    return times.get(widened, f" after widening {widened} times")
