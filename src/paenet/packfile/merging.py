"""Two packs that grew from one as a single file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.packfile.errors import PackFileError
from paenet.packfile.reading import PackFile, describe, read
from paenet.packfile.writing import refuse_existing, write
from paenet.packing import Pack, PackedTask
from paenet.packing.parts import FREE, PackWidth
from paenet.packing.widening import Builder, Maps, compose


def merge(
    first: str | Path,
    second: str | Path,
    out: str | Path,
    *,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> list[str]:
    """Writes a file with the tasks of two packs, where both grew from the same base.

    Tasks that both have are taken once. Fingerprints stay as they were.

    Args:
        first, second: the files, which are left as they are.
        out: the new file.
        backbone, heads: as for `read`; the heads of both files' tasks.

    Returns:
        The names of the tasks that are in it.

    Raises:
        PackFileError: where they did not grow from one base, two tasks of one name differ, both
            were widened, or two tasks own the same weight; says which. Where `out` exists already,
            or neither has a task that a head is given for.
    """
    refuse_existing(Path(out))
    given = _heads_of((first, second), heads or {})
    files = [
        (str(path), read(path, backbone=backbone, heads=its))
        for path, its in zip((first, second), given, strict=True)
    ]
    # What was widened holds the other: a narrow network has a place in a wide one, not vice versa.
    files.sort(key=lambda file: -file[1].pack.weights())
    (wide_name, wide), (narrow_name, narrow) = files
    try:
        _refuse_strangers(wide, narrow)
        _add(wide.pack, narrow.pack)
    except PackFileError as error:
        raise PackFileError(f"{wide_name} and {narrow_name} cannot be merged: {error}") from None
    write(wide.pack, out, backbone=wide.spec, about=wide.about)
    return list(wide.pack.tasks)


def _heads_of(
    paths: Sequence[str | Path], heads: Mapping[str, nn.Module]
) -> list[dict[str, nn.Module]]:
    """For each file, the heads that are its tasks'."""
    names = [[task["name"] for task in describe(path)["tasks"]] for path in paths]
    known = {name for its in names for name in its}
    for name in heads:
        if name not in known:
            raise PackFileError(f"heads: neither file has a task {name!r}{suggest(name, known)}")
    return [{name: heads[name] for name in its if name in heads} for its in names]


def _refuse_strangers(wide: PackFile, narrow: PackFile) -> None:
    """Refuses packs of two networks, and tasks of one name that are not one task."""
    if wide.spec != narrow.spec:
        raise PackFileError(f"their backbones are {wide.spec} and {narrow.spec}")
    if wide.about.get("input") != narrow.about.get("input"):
        raise PackFileError("their networks see images of different sizes or scales")
    if wide.pack.base is None or wide.pack.base != narrow.pack.base:
        raise PackFileError(
            f"they grew from different bases, {wide.pack.base!r} and {narrow.pack.base!r}"
        )
    for name in wide.pack.tasks:
        if name in narrow.pack.tasks and (
            wide.pack.fingerprint(name) != narrow.pack.fingerprint(name)
        ):
            raise PackFileError(
                f"both have a task {name!r}, and they differ; remove it from one of them"
            )


def _add(wide: Pack, narrow: Pack) -> None:
    """Takes the tasks of `narrow` that `wide` lacks into `wide`."""
    widest = narrow.widths[-1].width
    # The first of that width: a task that gave channels up may have come to the same.
    at = next((at for at in wide.widths if at.width == widest), None)
    if at is None:
        raise PackFileError("both were widened, each in its own way")
    maps = at.maps
    for task in narrow.tasks.values():
        if task.name in wide.tasks:
            continue
        fingerprint = narrow.fingerprint(task.name)
        slot = wide.free_slot()
        for name in wide.layers:
            _move(wide, narrow, name, task, slot, maps)
        width = _width(wide, narrow.widths[task.width], maps)
        wide.tasks[task.name] = replace(task, slot=slot, width=width)
        if wide.fingerprint(task.name) != fingerprint:
            raise PackFileError(
                f"task {task.name!r} would compute something else: the tasks that it sees own "
                "other weights there"
            )


def _width(wide: Pack, at: PackWidth, maps: Maps | None) -> int:
    """The index in `wide` of a width of the other pack, whose widest network lies at `maps`."""
    if at.maps is not None:
        maps = at.maps if maps is None else compose(at.maps, maps)
    for index, known in enumerate(wide.widths):
        if known.width == at.width and _same(known.maps, maps):
            return index
    assert maps is not None  # the widest is among them
    return wide.insert(PackWidth(at.width, at.skeleton, maps))


def _same(one: Maps | None, other: Maps | None) -> bool:
    if one is None or other is None:
        return one is other
    return all(one[layer].same(other[layer]) for layer in one)


def _move(
    wide: Pack, narrow: Pack, name: str, task: PackedTask, slot: int, maps: Maps | None
) -> None:
    """Enters the weights that a task has in a layer of `narrow` into that of `wide`."""
    layer, source = wide.layers[name], narrow.layers[name]

    def placed(tensor: Tensor) -> Tensor:
        if maps is None:
            return tensor
        return maps[name].place(tensor, tensor.new_zeros(layer.theta.shape))

    mine = placed(source.owner == task.slot)
    taken = int((layer.owner[mine] != FREE).sum())
    if taken:
        others = {other.slot: other.name for other in wide.tasks.values()}
        owner = others[int(layer.owner[mine][layer.owner[mine] != FREE][0])]
        raise PackFileError(
            f"layer {name!r}: tasks {task.name!r} and {owner!r} both own {taken} weights; "
            "learn one after the other in one file"
        )
    layer.theta[mine] = placed(torch.where(source.owner == task.slot, source.theta, 0))[mine]
    layer.owner[mine] = slot
