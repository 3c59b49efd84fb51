"""Some tasks of a pack as a file of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from torch import nn

from paenet.errors import suggest
from paenet.packfile.asking import names_of
from paenet.packfile.errors import PackFileError, naming
from paenet.packfile.reading import read
from paenet.packfile.writing import refuse_existing, write
from paenet.packing import Pack
from paenet.packing.widening import Builder


def extract(
    path: str | Path,
    tasks: str | Collection[str],
    out: str | Path,
    *,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> list[str]:
    """Writes a file of some tasks and of those whose weights or norms they compute with.

    What those compute with is in it too: each of its tasks is whole. Fingerprints stay as they
    were.

    Args:
        path: of the pack, which is left as it is.
        tasks: their names, at least one, or one name.
        out: the new file.
        backbone, heads: as for `read`, which reads all tasks, those left out among them.

    Returns:
        The names of the tasks that are in it.

    Raises:
        PackFileError: where there is no such task, `out` exists already, or a file cannot be read
            or written.
    """
    path, out = Path(path), Path(out)
    refuse_existing(out)
    held = read(path, backbone=backbone, heads=heads)
    with naming(path):
        kept = needed(held.pack, names_of(tasks))
    for name in reversed(list(held.pack.tasks)):  # a task goes before those that it sees
        if name not in kept:
            held.pack.remove(name)
    write(held.pack, out, backbone=held.spec, about=held.about)
    return kept


def needed(pack: Pack, tasks: Collection[str]) -> list[str]:
    """Some tasks, and those whose weights or norms they compute with, in the pack's order.

    Those come with what they compute with themselves, for each is a task of the new file.

    Raises:
        PackFileError: where there is no such task, or none is asked for.
    """
    if not tasks:
        raise PackFileError(f"no task is asked for; known: {', '.join(pack.tasks)}")
    for name in tasks:
        if name not in pack.tasks:
            raise PackFileError(f"has no task {name!r}{suggest(name, pack.tasks)}")
    wanted = set(tasks)
    for name, task in reversed(pack.tasks.items()):  # those that a task uses come before it
        if name in wanted:
            wanted |= {*task.sees, *(base for base in pack.tasks if pack.borrows(task, base))}
    return [name for name in pack.tasks if name in wanted]
