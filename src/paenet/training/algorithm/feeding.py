"""What a task is fed with: images, or what its stem makes of them, computed once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from paenet.packing import Learner, Pack, segments
from paenet.training.examples import (
    ActivationSource,
    ImageSource,
    Keeper,
    Material,
    Progress,
    Source,
    Split,
    gigabytes,
    place,
    size_of,
)
from paenet.training.machine import ACTIVATIONS
from paenet.training.session import Session


@dataclass(frozen=True)
class Feed:
    """A network of a task, and what it is fed.

    Attributes:
        network: all of it, or what follows its stem.
        sources: its inputs by split: images, or what its stem makes of them.
    """

    network: nn.Module
    sources: Mapping[str, Source]


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
    size = {split: gigabytes(found[split].shape[1:], rows) for split in (stem, *stems)}
    views, wanted = _room(stem, size, material.plan.views or limits.views, limits.gigabytes)
    if views == 0:
        say(
            f"{name}: what stem {stem!r} makes of {rows:,} images takes more than "
            f"activations.gigabytes ({limits.gigabytes:g}), so it is computed anew every time"
        )
        return None
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


def _room(stem: str, size: Mapping[str, float], views: int, most: float) -> tuple[int, set[str]]:
    """How many views of a stem there is room for, and the stems whose as many fit in beside them.

    Args:
        size: of one view after each stem, in gigabytes, in the order in which they are wanted.
        views: that are wanted.
        most: gigabytes that all may take.
    """
    views = min(views, int(most / size[stem]))
    chosen, room = {stem}, most - views * size[stem]
    for other, gigabytes_of_view in size.items():
        if other != stem and views * gigabytes_of_view <= room:
            chosen.add(other)
            room -= views * gigabytes_of_view
    return views, chosen


def _keeper(session: Session, material: Material, pack: Pack, *, exact: bool) -> Keeper:
    return Keeper(
        folder=session.cache / ACTIVATIONS,
        base=pack.fingerprint(str(pack.base)),
        precision=session.precision,
        seed=session.recipe.seed,
        batch=material.plan.budget.validate_batch,
        accelerator=session.accelerator,
        exact=exact,
    )


def _progress(session: Session, material: Material) -> Progress:
    return partial(session.reporter.count, f"{material.plan.name}/stem")
