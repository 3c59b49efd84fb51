"""Two packs that grew from one as a single file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from paenet.packfile.errors import PackFileError
from paenet.packfile.reading import PackFile, read
from paenet.packfile.writing import write
from paenet.packing import Pack, PackedTask
from paenet.packing.pack import FREE
from paenet.packing.widening import Builder, Maps


def merge(
    first: str | Path,
    second: str | Path,
    out: str | Path,
    *,
    backbone: nn.Module | Builder | None = None,
) -> list[str]:
    """Writes a file with the tasks of two packs, where both grew from the same base.

    Tasks that both have are taken once. Fingerprints stay as they were.

    Args:
        first, second: the files, which are left as they are.
        out: the new file.
        backbone: as for `read`.

    Returns:
        The names of the tasks that are in it.

    Raises:
        PackFileError: where they did not grow from one base, two tasks of one name differ, both
            were widened, or two tasks own the same weight; says which.
    """
    files = [(str(path), read(path, backbone=backbone)) for path in (first, second)]
    # What was widened holds the other: a narrow network has a place in a wide one, not vice versa.
    files.sort(key=lambda file: -len(file[1].pack.widths))
    (wide_name, wide), (narrow_name, narrow) = files
    try:
        _refuse_strangers(wide, narrow)
        _add(wide.pack, narrow.pack)
    except PackFileError as error:
        raise PackFileError(f"{wide_name} and {narrow_name} cannot be merged: {error}") from None
    write(wide.pack, out, backbone=wide.spec, about=wide.about)
    return list(wide.pack.tasks)


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
    shared = len(narrow.pack.widths)
    if [w.width for w in wide.pack.widths[:shared]] != [w.width for w in narrow.pack.widths]:
        raise PackFileError("both were widened, each in its own way")


def _add(wide: Pack, narrow: Pack) -> None:
    """Takes the tasks of `narrow` that `wide` lacks into `wide`."""
    maps = wide.widths[len(narrow.widths) - 1].maps
    for task in narrow.tasks.values():
        if task.name in wide.tasks:
            continue
        fingerprint = narrow.fingerprint(task.name)
        slot = wide.free_slot()
        for name in wide.layers:
            _move(wide, narrow, name, task, slot, maps)
        wide.tasks[task.name] = replace(task, slot=slot)
        if wide.fingerprint(task.name) != fingerprint:
            raise PackFileError(
                f"task {task.name!r} would compute something else: the tasks that it sees own "
                "other weights there"
            )


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
