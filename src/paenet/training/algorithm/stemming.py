"""Which stems a task tries, and whether it may have one at all."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from paenet import packing
from paenet.packing import Method, Pack, splits
from paenet.packing.stems import refuse_unknown
from paenet.packing.widening import skeleton_of
from paenet.training.base import Base
from paenet.training.errors import RecipeError
from paenet.training.examples import (
    View,
    make_task,
)
from paenet.training.recipe import TaskPlan

AUTO, NONE = "auto", "none"
_FEW = 4  # splits of the outermost level, below which those of the next are looked at too
_STEP = 1.5  # from the work above one stem that is tried to that above the next
_MOST_ABOVE = 0.5  # of the work: sharing less is not worth a search


def stems_to_try(stem: str, pack: Pack, *, possible: bool) -> list[str | None]:
    """The stems that a task is to be learnt with, the cheapest to run first; None is no stem.

    `auto` starts with the deepest, which leaves a task nothing but its head, and goes on to ones
    with at least half as much work again above them, until the task has the whole network to
    itself.

    Args:
        stem: as a plan says it.
        possible: whether a later task can have one; see `can_share`.

    Raises:
        RecipeError: where there can be no stem.
    """
    if stem == NONE:
        return [None]
    if pack.base is None or not possible:
        if stem == AUTO:
            return [None]
        raise RecipeError(_no_stem(stem))
    return [*_growing(list(pack.stems().values())), None] if stem == AUTO else [stem]


def can_share(method: Method, plan: TaskPlan) -> bool:
    """Whether a later task may have a stem: it sees the base's weights and learns from labels.

    A teacher that it imitates would have to see the images themselves.
    """
    return method.sees != "none" and method.widens != "always" and make_task(plan).label is not None


def check_stem(plan: TaskPlan, base: Base, view: View, *, possible: bool) -> None:
    """Holds a plan's stem to the places where the network can be split.

    Args:
        possible: whether the task can have one at all; see `stems_to_try`.

    Raises:
        RecipeError: where it cannot.
        PackingError: where there is none of that name.
    """
    if plan.stem in (AUTO, NONE):
        return
    if not possible:
        raise RecipeError(f"task {plan.name!r}: {_no_stem(plan.stem)}")
    example = torch.zeros(1, 3, view.size, view.size)
    refuse_unknown(splits(skeleton_of(base.build(1.0)), example), plan.stem)


def _no_stem(stem: str) -> str:
    return (
        f"stem: {stem!r} is a part of the first task's network, which a later task may share "
        "that sees its weights and learns from labels; say 'none'"
    )


def _growing(found: Sequence[packing.Split]) -> list[str]:
    """Splits after blocks, from the deepest, each with clearly more work above than the last."""
    level = 0
    while sum(split.name.count(".") <= level for split in found) < min(_FEW, len(found)):
        level += 1
    chosen: list[str] = []
    least = 0.0
    for split in reversed(found):
        above = 1 - split.work
        if split.name.count(".") <= level and least <= above <= _MOST_ABOVE:
            chosen.append(split.name)
            least = _STEP * above
    return chosen
