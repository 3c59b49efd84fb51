"""Which stems a task tries, and what it is fed with once it has one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from paenet.packing import Learner, Method, Pack, Split, segments, splits
from paenet.packing.stems import refuse_unknown
from paenet.packing.widening import skeleton_of
from paenet.training.activations import Keeper, gigabytes, size_of
from paenet.training.base import Base
from paenet.training.data import View, place
from paenet.training.errors import RecipeError
from paenet.training.material import Material, make_task
from paenet.training.plan import TaskPlan
from paenet.training.session import Session
from paenet.training.sources import ActivationSource, ImageSource, Source

AUTO, NONE = "auto", "none"
_FEW = 4  # splits of the outermost level, below which those of the next are looked at too
_STEP = 1.5  # from the work above one stem that is tried to that above the next
_MOST_ABOVE = 0.5  # of the work: sharing less is not worth a search


@dataclass(frozen=True)
class Feed:
    """What the stages of a task train, and with which inputs.

    Attributes:
        network: all of a learner, or what follows its stem.
        train, val: its inputs.
    """

    network: nn.Module
    train: Source
    val: Source


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


def _growing(found: Sequence[Split]) -> list[str]:
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


def feed(
    session: Session, material: Material, pack: Pack, learner: Learner, stems: Sequence[str]
) -> Feed:
    """The inputs of a learner: images, or what its stem makes of them, computed once.

    Args:
        stems: which may be wanted later, and are computed in the same pass where there is room.
    """
    images = {
        "train": ImageSource(material.train, session.view, session.augment),
        "val": ImageSource(material.val, session.view, session.augment),
    }
    if learner.split is None:
        return Feed(learner, **images)
    _, rest = learner.halves()
    kept = _kept(session, material, pack, learner.split.name, stems, images)
    if kept is None:
        return Feed(learner, **images)
    return Feed(rest, **kept)


def _kept(
    session: Session,
    material: Material,
    pack: Pack,
    stem: str,
    stems: Sequence[str],
    images: dict[str, ImageSource],
) -> dict[str, ActivationSource] | None:
    """Activations for training and validation; None where there is no room for them."""
    limits, found = session.recipe.activations, pack.splits()
    name, count = material.plan.name, len(images["train"])
    say = session.reporter.say
    view = {split: gigabytes(found[split].shape[1:], count) for split in (stem, *stems)}
    views = min(material.plan.views or limits.views, int(limits.gigabytes / view[stem]))
    if views == 0:
        say(
            f"{name}: what stem {stem!r} makes of {count:,} images takes more than "
            f"activations.gigabytes ({limits.gigabytes:g}), so it is computed anew every time"
        )
        return None
    wanted, room = {stem}, limits.gigabytes - views * view[stem]
    for other in stems:
        if other != stem and views * view[other] <= room:
            wanted.add(other)
            room -= views * view[other]
    chain = [split for split in found if split in wanted]
    keeper = Keeper(
        folder=session.cache / "activations",
        base=pack.fingerprint(str(pack.base)),
        precision=session.precision,
        seed=session.recipe.seed,
        batch=material.plan.budget.validate_batch,
        accelerator=session.accelerator,
    )
    backbone = pack.materialize(str(pack.base)).get_submodule("backbone").requires_grad_(False)
    parts = segments(backbone, images["train"].example(), chain)[:-1]
    modules = dict(zip(chain, parts, strict=True))
    for part in parts:
        place(part.eval(), session.accelerator.device)
    kept = {}
    for split, source in images.items():
        kept[split] = keeper.keep(
            modules,
            source,
            views if split == "train" else 1,
            lambda done, total: session.reporter.count(f"{name}/stem", done, total),
        )[stem]
    say(
        f"{name}: learns from what stem {stem!r} made of {count:,} images "
        f"({size_of(kept['train']) / 1e9:.2g} GB are kept): {found[stem].work:.0%} of the "
        "network's work need not be done again"
    )
    return kept
