"""Which weights go, and how many at each stage: gradual magnitude pruning."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from paenet.packing.errors import PackingError

Rank = Literal["layer", "global"]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Gradual pruning: the share of a task's own weights that is gone after each stage.

    The cubic ramp of Zhu & Gupta (2017), eq. 1: fast while weights are redundant, slow near the
    end.

    Args:
        end: share of the weights removed after the last stage, in [start, 1).
        stages: number of prunings, at least 1.
        start: share already removed before the first, in [0, 1).

    Raises:
        PackingError: where a value is out of range; names it and the range.
    """

    end: float
    stages: int
    start: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.end < 1:
            raise PackingError(
                f"pruning from {self.start} to {self.end}: give shares with 0 <= start <= end < 1"
            )
        if self.stages < 1:
            raise PackingError(f"pruning in {self.stages} stages: give at least 1")

    def at(self, stage: int) -> float:
        """Share removed after `stage` prunings (0 = none yet, `stages` = `end`)."""
        left = (1 - stage / self.stages) ** 3
        return self.end + (self.start - self.end) * left


@dataclass(frozen=True, slots=True)
class Trial:
    """One share that was tried, and whether the goal held after retraining."""

    share: float
    held: bool


def next_share(schedule: Schedule, trials: Sequence[Trial], bisections: int = 0) -> float | None:
    """The share to prune to next, or None when the search is over.

    Follows the ramp until a stage misses the goal, then halves the gap between the largest share
    that held and the smallest that missed `bisections` times. Each trial starts from the largest
    share that held. A pure function of its arguments, so that a run that was stopped decides
    again what it decided before.
    """
    missed = [trial.share for trial in trials if not trial.held]
    if not missed:
        stage = len(trials) + 1
        return schedule.at(stage) if stage <= schedule.stages else None
    first_miss = next(i for i, trial in enumerate(trials) if not trial.held)
    if len(trials) - first_miss - 1 >= bisections:
        return None
    return (largest_held(schedule, trials) + min(missed)) / 2


def largest_held(schedule: Schedule, trials: Sequence[Trial]) -> float:
    """The largest share at which the goal held; the schedule's start where none did."""
    return max((trial.share for trial in trials if trial.held), default=schedule.start)


def keep_largest(
    weights: Mapping[str, Tensor],
    owned: Mapping[str, Tensor],
    counts: Mapping[str, int],
    rank: Rank,
) -> dict[str, Tensor]:
    """The weights that stay: the largest of those owned.

    Args:
        weights: per layer, the values.
        owned: per layer, a bool tensor: the weights that compete.
        counts: per layer, how many stay when ranked per layer; their sum stays when ranked
            globally.
        rank: compare weights within their layer, or over the whole network.

    Returns:
        Per layer a bool tensor, a subset of `owned`. Ties go by position, so that two machines
        keep the same weights.

    Raises:
        PackingError: where there is no such rank.
    """
    if rank == "layer":
        return {name: _largest(weights[name], owned[name], counts[name]) for name in weights}
    if rank != "global":
        raise PackingError(f"rank={rank!r}: give layer or global")
    flat = torch.cat([weights[name].detach().reshape(-1) for name in weights])
    mask = torch.cat([owned[name].reshape(-1) for name in weights])
    kept = _largest(flat, mask, sum(counts.values()))
    parts = torch.split(kept, [weights[name].numel() for name in weights])
    return {name: part.view_as(weights[name]) for name, part in zip(weights, parts, strict=True)}


def _largest(weight: Tensor, owned: Tensor, count: int) -> Tensor:
    """The `count` owned entries of largest magnitude (all, where fewer are owned)."""
    positions = owned.reshape(-1).nonzero().squeeze(1)
    kept = torch.zeros(owned.numel(), dtype=torch.bool, device=owned.device)
    if count >= len(positions):
        kept[positions] = True
    elif count > 0:
        size = weight.detach().reshape(-1)[positions].abs()
        threshold = size.kthvalue(len(positions) - count + 1).values
        above = size > threshold
        ties = (size == threshold).nonzero().squeeze(1)
        kept[positions[above]] = True
        kept[positions[ties[: count - int(above.sum())]]] = True
    return kept.view_as(owned)
