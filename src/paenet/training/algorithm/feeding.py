"""What a task is fed with: images, or what its stem makes of them, computed once and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from paenet.packing import Learner, Pack, Traced
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


Views = Mapping[str | None, int]
"""How many views of each training image are kept after each stem that a task tries, in the order
in which it tries them; none where it tries to do without a stem (None)."""


def room(session: Session, material: Material, pack: Pack, stems: Sequence[str | None]) -> Views:
    """As many views as all that a task keeps fits into `activations.gigabytes` with.

    That is what each stem makes of the images to train on, those to start with included, and of
    those that the task is validated and tested on.

    Args:
        stems: in the order in which they are tried; the first have the first choice.
    """
    limits, left = session.recipe.activations, session.recipe.activations.gigabytes
    found = {} if set(stems) == {None} else pack.splits()  # a network without may have no graph
    learnt = len(material.train) + len(material.pretrain or ())
    judged = len(material.val) + (0 if material.pairs else len(material.test))
    views: dict[str | None, int] = {}
    for stem in stems:
        views[stem] = 0
        if stem is None:
            continue
        shape = found[stem].shape[1:]
        beside, view = gigabytes(shape, judged, exact=True), gigabytes(shape, learnt)
        count = min(material.plan.views or limits.views, int((left - beside) / view))
        if count > 0:
            views[stem] = count
            left -= beside + count * view
    return views


def feed(session: Session, material: Material, pack: Pack, learner: Learner, views: Views) -> Feed:
    """A learner with `train` and `val`; what follows its stem, where there is room for activations.

    Args:
        views: see `room`; of stems that are tried later they are computed in the same pass.
    """
    images = _images(session, train=material.train, val=material.val)
    if learner.split is None:
        return Feed(learner, images)
    kept = _kept(session, material, pack, learner.split.name, views, images)
    return Feed(learner, images) if kept is None else Feed(learner.halves()[1], kept)


def stored(session: Session, material: Material, pack: Pack, name: str, views: Views) -> Feed:
    """A task of a pack with `val` and `test`, to be judged to the last bit as it is stored.

    Its stem is the base's own, and need not be run again for images of which it is known what the
    stem makes of them.
    """
    network = pack.materialize(name)
    place(network, session.accelerator.device)
    images = _images(session, val=material.val, test=material.test)
    stem = pack.tasks[name].stem
    # Pairs are images that it has to see.
    if stem is None or material.pairs is not None or views[stem.name] == 0:
        return Feed(network, images)
    backbone = network.get_submodule("backbone")
    traced = Traced(backbone, images["val"].example())
    parts = _parts(session, traced, _up_to(stem.name, traced))
    keeper, progress = _keeper(session, material, pack, exact=True), _progress(session, material)
    kept = {
        split: keeper.keep(parts, source, {stem.name: 1}, progress)[stem.name]
        for split, source in images.items()
    }
    rest = traced.after(stem.name, backbone)
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
    views: Views,
    images: dict[str, ImageSource],
) -> dict[str, ActivationSource] | None:
    """Activations for training and validation; None where there is no room for them."""
    name, rows = material.plan.name, len(images["train"])
    say, most = session.reporter.say, session.recipe.activations.gigabytes
    if views[stem] == 0:
        say(
            f"{name}: what stem {stem!r} makes of {rows:,} images does not fit into "
            f"activations.gigabytes ({most:g}), so it is computed anew every time"
        )
        return None
    found, tried = pack.splits(), list(views)
    wanted = {split for split in tried[tried.index(stem) :] if views[split] > 0}
    chain = [split for split in found if split in wanted]
    backbone = pack.materialize(str(pack.base)).get_submodule("backbone").requires_grad_(False)
    traced = Traced(backbone, images["train"].example())
    kept = {}
    for split, source in images.items():
        exact = split != "train"
        # Where it is exact, it goes on from what is kept of any place before.
        parts = _parts(session, traced, _up_to(chain[-1], traced) if exact else chain)
        keeper = _keeper(session, material, pack, exact=exact)
        counts = {each: 1 if exact else views[each] for each in chain}
        kept[split] = keeper.keep(parts, source, counts, _progress(session, material))[stem]
    say(
        f"{name}: learns from what stem {stem!r} made of {rows:,} images "
        f"({size_of(kept['train']) / 1e9:.2g} GB are kept): {found[stem].work:.0%} of the "
        "network's work need not be done again"
    )
    return kept


def _up_to(stem: str, traced: Traced) -> list[str]:
    """Every place at which a network can be split, up to one of them."""
    names = list(traced.splits)
    return names[: names.index(stem) + 1]


def _parts(session: Session, traced: Traced, names: Sequence[str]) -> dict[str, nn.Module]:
    """A network up to the last of some splits, in the parts that end at them."""
    parts: dict[str, nn.Module] = dict(zip(names, traced.segments(names)[:-1], strict=True))
    for part in parts.values():
        place(part.eval(), session.accelerator.device)
    return parts


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
