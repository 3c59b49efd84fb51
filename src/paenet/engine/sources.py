"""What an engine is made of: the networks of some tasks, and what they have in common."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paenet import packfile
from paenet.engine.errors import EngineError
from paenet.errors import suggest
from paenet.packfile.asking import names_of
from paenet.packfile.networks import skeletons
from paenet.packfile.schema import BackboneSpec
from paenet.packfile.shapes import most
from paenet.packing import Pack, Stem
from paenet.packing.parts import given_width
from paenet.packing.widening import Builder

LARGEST_EXAMPLE = 2**23
"""Values of an input. A small file may name any input, and the networks are run on one like it."""


@dataclass(frozen=True)
class Sources:
    """Networks of tasks that are the engine's to change.

    Attributes:
        networks: by task, `backbone` then `head`; the base's among them where a stem needs it.
        stems: by task, where its network stops being the base's; None for nowhere.
        widths: by task, the number of its width; networks of one width differ in values alone.
        given: the number of the given network's width, by whose work that of others is told.
        skeleton: makes the given network, without values.
        base: the task whose stems they are.
        asked: the tasks whose outputs are wanted, in their order.
        example: `(1, …)` zeros; None where the pack knows no input.
        input: what a file says of the images that its networks see.
        notes: by task, what its maker keeps of it.
        fingerprint: of a task, by its name.
    """

    networks: dict[str, nn.Sequential]
    stems: dict[str, Stem | None]
    widths: dict[str, int]
    given: int
    skeleton: Callable[[], nn.Module]
    base: str | None
    asked: tuple[str, ...]
    example: Tensor | None
    input: Mapping[str, Any] | None
    notes: Mapping[str, Mapping[str, Any]]
    fingerprint: Callable[[str], str]


def sources_of(
    source: Pack | str | Path,
    tasks: str | Collection[str] | None,
    backbone: nn.Module | Builder | None,
    heads: Mapping[str, nn.Module] | None,
) -> Sources:
    """The networks of a pack, or of its file.

    Args:
        source: the pack, or the path of its file.
        tasks: those that are wanted, or one name; None takes all.
        backbone, heads: as `paenet.packfile.load` takes them.

    Raises:
        EngineError: where there is no such task or none at all, or an input has more than
            `LARGEST_EXAMPLE` values.
        PackFileError: where the file cannot be read.
    """
    if isinstance(source, Pack):
        return _of_pack(source, tasks)
    path = Path(source)

    def take(document: dict[str, Any]) -> Sources:
        records = {record["name"]: record for record in document["tasks"]}
        asked = _asked(tasks, list(records), str(path))
        example = _example(document["example"], str(path))
        stems = {n: _stem(record) for n, record in records.items()}
        widths = {name: record["width"] for name, record in records.items()}
        wanted = _with_base(asked, stems, document["base"])
        given = given_width(document["widths"], widths[document["base"]])

        def skeleton() -> nn.Module:
            width, room = document["widths"][given], most(path.stat().st_size)
            return skeletons(_spec(document), [width], backbone, room)[0].skeleton

        return Sources(
            packfile.load(path, wanted, backbone=backbone, heads=heads, share_stems=True),
            stems,
            widths,
            given,
            skeleton,
            document["base"],
            asked,
            example,
            document["about"].get("input"),
            {name: record["notes"] for name, record in records.items()},
            lambda name: str(records[name]["fingerprint"]),
        )

    return packfile.unchanged(path, take)


def asked_of(source: Pack | str | Path, tasks: str | Collection[str] | None) -> tuple[str, ...]:
    """The names of the tasks that are wanted, without their networks.

    Args:
        source, tasks: as `sources_of` takes them.

    Raises:
        EngineError, PackFileError: as `sources_of`.
    """
    if isinstance(source, Pack):
        return _asked(tasks, list(source.tasks), "the pack")
    known = [record["name"] for record in packfile.describe(source)["tasks"]]
    return _asked(tasks, known, str(source))


def _of_pack(pack: Pack, tasks: str | Collection[str] | None) -> Sources:
    asked = _asked(tasks, list(pack.tasks), "the pack")
    example = _example(None if pack.example is None else pack.example.shape, "the pack")
    stems = {name: task.stem for name, task in pack.tasks.items()}
    widths = {name: task.width for name, task in pack.tasks.items()}
    wanted = _with_base(asked, stems, pack.base)
    networks = {name: pack.materialize(name) for name in wanted}
    notes = {name: task.notes for name, task in pack.tasks.items()}
    given = pack.given_width
    return Sources(
        networks,
        stems,
        widths,
        given,
        lambda: pack.widths[given].skeleton,
        pack.base,
        asked,
        example,
        None,
        notes,
        pack.fingerprint,
    )


def _spec(document: Mapping[str, Any]) -> BackboneSpec:
    return BackboneSpec(document["backbone"]["name"], document["backbone"]["arguments"])


def _stem(record: Mapping[str, Any]) -> Stem | None:
    stem = record.get("stem")
    return None if stem is None else Stem(stem["name"], frozenset(stem["layers"]))


def _asked(tasks: str | Collection[str] | None, known: list[str], where: str) -> tuple[str, ...]:
    asked = tuple(dict.fromkeys(names_of(known if tasks is None else tasks)))
    for name in asked:
        if name not in known:
            raise EngineError(f"{where}: has no task {name!r}{suggest(name, known)}")
    if not asked:
        raise EngineError(f"{where}: no task is asked for; there are: {', '.join(known) or 'none'}")
    return asked


def _example(shape: Sequence[int] | None, where: str) -> Tensor | None:
    if shape is None:
        return None
    count = math.prod(shape)
    if count > LARGEST_EXAMPLE:
        raise EngineError(
            f"{where}: an input of {list(shape)} has {count:,} values, and an engine takes at most "
            f"{LARGEST_EXAMPLE:,}; give Pack(…, example=images) smaller images"
        )
    return torch.zeros(tuple(shape))


def _with_base(
    asked: tuple[str, ...], stems: Mapping[str, Stem | None], base: str | None
) -> tuple[str, ...]:
    """The tasks whose networks are needed: a stem is cut out of the base's."""
    if base is None or base in asked:
        return asked
    return (base, *asked) if any(stems[name] for name in asked) else asked
