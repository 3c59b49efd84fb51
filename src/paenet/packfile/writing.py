"""From a pack to a file."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paenet.packfile import container, heads, shapes
from paenet.packfile import tensors as named
from paenet.packfile.encoding import Codings, encode, listed
from paenet.packfile.errors import PackFileError, naming
from paenet.packfile.schema import BackboneSpec, Document, parse, plain
from paenet.packfile.streams import LEVEL, LEVELS
from paenet.packing import Pack, PackedTask


def refuse_existing(out: Path) -> None:
    """Refuses to make a new file where there is one, which may be the one it is made from.

    Raises:
        PackFileError: says so.
    """
    if out.exists():
        raise PackFileError(f"{out}: exists already; remove it, or choose another name")


def write(
    pack: Pack,
    path: str | Path,
    *,
    backbone: BackboneSpec | str,
    about: Mapping[str, Any] | None = None,
    level: int = LEVEL,
) -> None:
    """Writes a pack; the file is replaced whole or stays as it was.

    Args:
        pack: holds at least one task, or has held one.
        path: of the file, by habit `NAME.pae`.
        backbone: what builds the network that the pack was made of; its name alone will do.
        about: what to keep beside the tasks, as JSON types: by convention `input` (size, mean,
            scale) and `weights` (name, source, terms, sha256 of the base weights). Numbers that
            are not finite become null, in here and in the tasks' notes.
        level: of zstandard, 1 to 19: higher ones take longer and save little.

    Raises:
        PackFileError: where the pack cannot be written, or a task computes something else than
            when it was frozen; names the place and the mend.
    """
    path = Path(path)
    with naming(path):
        if pack.untouched:
            raise PackFileError("the pack has learnt nothing yet; freeze a task before writing")
        if level not in LEVELS:
            raise PackFileError(f"level {level}: give 1 to {LEVELS[-1]}")
        tensors = {name: t.detach().cpu().contiguous() for name, t in tensors_of(pack).items()}
        for finding in named.broken(tensors, {t.slot: t.name for t in pack.tasks.values()}):
            raise PackFileError(finding.message)
        tasks = pack.tasks
        sees = {task.slot: [tasks[seen].slot for seen in task.sees] for task in tasks.values()}
        picking = [task.slot for task in tasks.values() if task.picked is not None]
        maps = {task.slot: pack.widths[task.width].maps for task in tasks.values()}
        narrower = {slot: its for slot, its in maps.items() if its is not None}
        streams, codings = encode(tensors, sees, picking, level, narrower)
        size = sum(map(len, streams.values()))
        promised = shapes.promised(listed(tensors), len(tasks), len(picking))
        if promised > shapes.most(size):
            raise PackFileError(
                f"the pack has {promised:,} bytes of tensors and next to nothing "
                "in them, which no reader would take; learn a task before writing"
            )
        spec = BackboneSpec(backbone) if isinstance(backbone, str) else backbone
        document = _document(pack, spec, about or {}, codings)
        container.save(path, document.model_dump(), streams)


def _document(
    pack: Pack,
    backbone: BackboneSpec,
    about: Mapping[str, Any],
    codings: Mapping[int, Codings],
) -> Document:
    return parse(
        {
            "backbone": {
                "name": backbone.name,
                "arguments": plain(dict(backbone.arguments), "backbone.arguments"),
            },
            "example": None if pack.example is None else list(pack.example.shape),
            "base": pack.base,
            "widths": [plain(width.width, f"widths.{i}") for i, width in enumerate(pack.widths)],
            "tasks": [_record(pack, task, codings[task.slot]) for task in pack.tasks.values()],
            "about": plain(dict(about), "about"),
        }
    )


def _record(pack: Pack, task: PackedTask, codings: Codings) -> dict[str, Any]:
    return {
        "name": task.name,
        "slot": task.slot,
        "sees": list(task.sees),
        "width": task.width,
        "stem": None
        if task.stem is None
        else {"name": task.stem.name, "layers": sorted(task.stem.layers)},
        "picks": task.picked is not None,
        "head": heads.describe(task.head),
        "codings": asdict(codings),
        "fingerprint": _fingerprint(pack, task),
        "notes": plain(task.notes, f"task {task.name!r}: notes"),
    }


def _fingerprint(pack: Pack, task: PackedTask) -> str:
    """The task's, which must be what it was: a file vouches for it from now on."""
    now = pack.fingerprint(task.name)
    if task.fingerprint not in (None, now):
        raise PackFileError(
            f"task {task.name!r}: its network has fingerprint {now[:16]}… and was learnt with "
            f"{task.fingerprint[:16]}…; take the pack from a backup, learn the task again, or set "
            "its fingerprint to None where that was meant"
        )
    return now


def tensors_of(pack: Pack) -> dict[str, Tensor]:
    """Every tensor of a pack, as files call it."""
    found: dict[str, Tensor] = {}
    for name, layer in pack.layers.items():
        found[named.theta(name)] = layer.theta
        found[named.owner(name)] = layer.owner
    for task in pack.tasks.values():
        found |= {named.private(task.slot, key): value for key, value in task.private.items()}
        found |= {named.head(task.slot, key): value for key, value in _state(task).items()}
        at = pack.widths[task.width].maps
        for name, picked in (task.picked or {}).items():
            wide = torch.zeros(pack.layers[name].theta.shape, dtype=torch.bool)
            placed = picked if at is None else at[name].place(picked, wide)
            found[named.picked(task.slot, name)] = placed
    for i, width in enumerate(pack.widths):
        if width.maps is None:
            continue
        for mapped in named.mapped_layers(pack.layout):
            maps = width.maps[mapped]
            found[named.outputs(i, mapped)] = maps.outputs
            if maps.inputs is not None:
                found[named.inputs(i, mapped)] = maps.inputs
    return found


def _state(task: PackedTask) -> dict[str, Tensor]:
    """The head's tensors."""
    state = task.head.state_dict()
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise PackFileError(
                f"task {task.name!r}: its head keeps {key!r}, which is no tensor; "
                "give it a head of tensors only"
            )
    return state
