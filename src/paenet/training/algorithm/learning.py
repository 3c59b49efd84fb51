"""Algorithm 1 of the paper: one task learnt, widened where it must be, pruned while it holds."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from paenet.packing import (
    NATIVE,
    Learner,
    Pack,
)
from paenet.training.algorithm.attempt import Attempt
from paenet.training.algorithm.feeding import Views
from paenet.training.algorithm.narrowing import narrow_to_goal
from paenet.training.algorithm.pruning import prune_to_goal
from paenet.training.algorithm.snapping import snap_to_goal
from paenet.training.algorithm.threshold import Threshold
from paenet.training.errors import GoalMissed
from paenet.training.examples import Material
from paenet.training.session import Session


def learn(
    session: Session,
    pack: Pack,
    material: Material,
    goal: float,
    given: Mapping[str, Tensor] | None,
    views: Views,
) -> Learner:
    """Learns one task to its goal in the free weights of `pack`; the caller freezes it.

    Args:
        goal: the least of its metric on validation that holds.
        given: the state of the network that the pack was started from, where it is at hand.
        views: of each stem that is tried, see `room`.

    Raises:
        GoalMissed: where it is not, and the plan says to stop then.
    """
    plan, method = material.plan, session.method
    *_, last = views
    for stem in views:
        threshold = Threshold(goal, plan.goal.within or 0.0)
        attempt = Attempt(session, pack, material, threshold, given, stem, views)
        reached = attempt.train()
        if threshold.holds(reached):
            break
        if stem != last:
            attempt.give_up()
    training, key = attempt.training, attempt.key
    if not threshold.holds(reached):
        if plan.goal.missed == "stop" and session.limit is None:
            raise GoalMissed(_missed(material, reached, goal, attempt.widened, session))
        threshold.settle_for(reached)
    if plan.channels.to > 0:
        key = narrow_to_goal(training, pack, key)
    if method.prunes != "never" and plan.prune.stages > 0 and plan.prune.to > 0:
        key = prune_to_goal(training, key)
    if plan.values.grid != NATIVE:
        snap_to_goal(training, key)
    training.refuse_missing()
    return training.learner


def _missed(material: Material, reached: float, goal: float, widened: int, session: Session) -> str:
    plan = material.plan
    more = (
        f"{_after(widened)}; raise widen.times or budget.epochs, or ask for less"
        if session.method.widens == "when-missed"
        else "; raise budget.epochs, or ask for less"
    )
    return (
        f"task {plan.name!r}: reached {material.task.metric} {reached:.4f} of the goal "
        f"{goal:.4f}{more} (goal.missed: keep goes on regardless); "
        "the tasks learnt so far are kept"
    )


def _after(widened: int) -> str:
    """How often filters were added in vain, as the end of a sentence."""
    times = {0: "", 1: " after widening once"}
    return times.get(widened, f" after widening {widened} times")
