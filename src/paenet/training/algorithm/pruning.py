"""Fewer weights for a task, as long as its goal holds: what it releases is for the next ones."""

from __future__ import annotations

from paenet.packing import Schedule, Trial, largest_held, next_share
from paenet.training.algorithm.stages import TaskTraining


def prune_to_goal(training: TaskTraining, held: str) -> str:
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
        holds = training.judge(f"pruned to {share:.1%} released", reached)
        holds = holds or training.session.method.prunes == "by-ratio"
        trials.append(Trial(share, holds))
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
