"""Which stems a task tries, and what it is fed with once it has one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from paenet import packing
from paenet.packing import Learner, Method, Pack, segments, splits
from paenet.packing.stems import refuse_unknown
from paenet.packing.widening import skeleton_of
from paenet.training.base import Base
from paenet.training.errors import RecipeError
from paenet.training.examples import (
    ActivationSource,
    ImageSource,
    Keeper,
    Material,
    Progress,
    Source,
    Split,
    View,
    gigabytes,
    make_task,
    place,
    size_of,
)
from paenet.training.recipe import TaskPlan
from paenet.training.session import Session

AUTO, NONE = "auto", "none"
_FEW = 4  # splits of the outermost level, below which those of the next are looked at too
_STEP = 1.5  # from the work above one stem that is tried to that above the next
_MOST_ABOVE = 0.5  # of the work: sharing less is not worth a search


@dataclass(frozen=True)
class Feed:
    """A network of a task, and what it is fed.

    Attributes:
        network: all of it, or what follows its stem.
        sources: its inputs by split: images, or what its stem makes of them.
    """

    network: nn.Module
    sources: Mapping[str, Source]


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


def feed(
    session: Session, material: Material, pack: Pack, learner: Learner, stems: Sequence[str]
) -> Feed:
    """A learner with `train` and `val`; what follows its stem, where there is room for activations.

    Args:
        stems: which may be wanted later, and are computed in the same pass where there is room.
    """
    images = _images(session, train=material.train, val=material.val)
    if learner.split is None:
        return Feed(learner, images)
    kept = _kept(session, material, pack, learner.split.name, stems, images)
    return Feed(learner, images) if kept is None else Feed(learner.halves()[1], kept)


def stored(session: Session, material: Material, pack: Pack, name: str) -> Feed:
    """A task of a pack with `val` and `test`, to be judged to the last bit as it is stored.

    Its stem is the base's own, and need not be run again for images of which it is known what the
    stem makes of them.
    """
    network = pack.materialize(name)
    place(network, session.accelerator.device)
    images = _images(session, val=material.val, test=material.test)
    stem = pack.tasks[name].stem
    if stem is None or material.pairs is not None:  # pairs are images that it has to see
        return Feed(network, images)
    shape, count = pack.splits()[stem.name].shape[1:], sum(map(len, images.values()))
    if gigabytes(shape, count, exact=True) > session.recipe.activations.gigabytes:
        return Feed(network, images)
    backbone = network.get_submodule("backbone")
    first, rest = segments(backbone, images["val"].example(), [stem.name])
    keeper = _keeper(session, material, pack, exact=True)
    kept = {
        split: keeper.keep({stem.name: first}, source, 1, _progress(session, material))[stem.name]
        for split, source in images.items()
    }
    return Feed(nn.Sequential(rest, network.get_submodule("head")).eval(), kept)


def _images(session: Session, **splits: Split) -> dict[str, ImageSource]:
    return {
        name: ImageSource(split, session.view, session.augment) for name, split in splits.items()
    }


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
    name, rows = material.plan.name, len(images["train"])
    say = session.reporter.say
    view = {split: gigabytes(found[split].shape[1:], rows) for split in (stem, *stems)}
    views = min(material.plan.views or limits.views, int(limits.gigabytes / view[stem]))
    if views == 0:
        say(
            f"{name}: what stem {stem!r} makes of {rows:,} images takes more than "
            f"activations.gigabytes ({limits.gigabytes:g}), so it is computed anew every time"
        )
        return None
    wanted, room = {stem}, limits.gigabytes - views * view[stem]
    for other in stems:
        if other != stem and views * view[other] <= room:
            wanted.add(other)
            room -= views * view[other]
    chain = [split for split in found if split in wanted]
    backbone = pack.materialize(str(pack.base)).get_submodule("backbone").requires_grad_(False)
    parts = segments(backbone, images["train"].example(), chain)[:-1]
    modules = dict(zip(chain, parts, strict=True))
    for part in parts:
        place(part.eval(), session.accelerator.device)
    kept = {}
    for split, source in images.items():
        keeper = _keeper(session, material, pack, exact=split != "train")
        count = views if split == "train" else 1
        kept[split] = keeper.keep(modules, source, count, _progress(session, material))[stem]
    say(
        f"{name}: learns from what stem {stem!r} made of {rows:,} images "
        f"({size_of(kept['train']) / 1e9:.2g} GB are kept): {found[stem].work:.0%} of the "
        "network's work need not be done again"
    )
    return kept


def _keeper(session: Session, material: Material, pack: Pack, *, exact: bool) -> Keeper:
    return Keeper(
        folder=session.cache / "activations",
        base=pack.fingerprint(str(pack.base)),
        precision=session.precision,
        seed=session.recipe.seed,
        batch=material.plan.budget.validate_batch,
        accelerator=session.accelerator,
        exact=exact,
    )


def _progress(session: Session, material: Material) -> Progress:
    return partial(session.reporter.count, f"{material.plan.name}/stem")
