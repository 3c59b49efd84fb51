"""Gradual pruning in any loop: prune, retrain, check, and go back where the goal is missed."""

from collections.abc import Callable

from torch import Tensor

from paenet.packing.learner import Learner
from paenet.packing.pruning import Rank, Schedule, Trial, next_share


def prune_gradually(
    learner: Learner,
    schedule: Schedule,
    retrain: Callable[[], None],
    holds: Callable[[], bool],
    *,
    rank: Rank = "layer",
    bisections: int = 0,
) -> list[Trial]:
    """Prunes in stages while the goal holds, and leaves the learner as the last that held left it.

    Args:
        learner: the task, trained to its goal. A stage that misses the goal is undone: parameters
            stay the same objects with their old values, a head's and norms' too.
        schedule: the share of its weights that is gone after each stage.
        retrain: called after each pruning; trains the learner. It should make a new optimiser,
            for an old one's momentum belongs to weights that a stage may have undone.
        holds: called after each retraining; whether the goal is met, judged on validation data.
        rank: compare weights within their layer, or over the whole network.
        bisections: how often to halve the gap between the largest share that held and the
            smallest that missed.

    Returns:
        What was tried, in order. The learner has the largest share that held (where none did, it
        is as it was given).

    Raises:
        PackingError: where the rank is unknown or the task frozen.
    """
    trials: list[Trial] = []
    held = _copy(learner)
    while (share := next_share(schedule, trials, bisections)) is not None:
        learner.prune(to=share, rank=rank)
        retrain()
        trials.append(Trial(share, holds()))
        if trials[-1].held:
            held = _copy(learner)
        else:
            learner.load_state_dict(held)
    return trials


def _copy(learner: Learner) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in learner.state_dict().items()}
