"""The fewest bits that hold the goal: a task on a value grid, judged as it will be stored."""

from __future__ import annotations

from paenet.packing import NATIVE
from paenet.training.algorithm.stages import TaskTraining

# From the smallest file to the largest; what lies between them changes little.
CANDIDATES = ("codebook3", "codebook4", "codebook5", "codebook6", "int8", "bfloat16")


def snap_to_goal(training: TaskTraining, held: str) -> None:
    """Puts the task's weights on the smallest grid that holds the goal, then norms and head.

    A single grid is taken even where it misses: what is stored is judged once more, and the
    record says so.

    Args:
        held: the stage whose state the learner is in.
    """
    plan = training.material.plan
    for grid in CANDIDATES if plan.values.grid == "auto" else (plan.values.grid,):
        training.learner.snap(grid)
        key, holds = _reach(training, grid)
        if holds or plan.values.grid != "auto":
            training.forget(held)
            held = key
            break
        training.forget(key)
        training.learner.snap(NATIVE)
        training.restore(held)
    training.learner.round_rest()
    key = f"{plan.name}/rest"
    reached = training.stage(key, 0, plan.values_rate)
    if training.judge("norms and head in bfloat16", reached):
        training.forget(held)
    else:
        training.forget(key)
        training.restore(held)


def _reach(training: TaskTraining, grid: str) -> tuple[str, bool]:
    """The last stage on a grid, and whether it holds the goal.

    Rounding alone is tried first; where that misses, training goes on with it in the loop.
    """
    plan = training.material.plan
    key = f"{plan.name}/{grid}"
    reached = training.stage(key, 0, plan.values_rate, estimate=True)
    holds = training.judge(f"weights as {grid}", reached)
    if holds or plan.values.epochs == 0:
        return key, holds
    before, key = key, f"{key}-trained"
    reached = training.stage(key, plan.values.epochs, plan.values_rate, estimate=True)
    training.forget(before)
    return key, training.judge(f"weights as {grid}, trained", reached)
