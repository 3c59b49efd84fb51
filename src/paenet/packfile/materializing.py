"""Tasks of a file as plain networks, one layer after the other, without a pack of weights."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.packfile import picks
from paenet.packfile import tensors as named
from paenet.packfile.asking import names_of
from paenet.packfile.decoding import Contents, Part
from paenet.packfile.errors import PackFileError
from paenet.packfile.restoring import frame
from paenet.packfile.weights import scatter
from paenet.packing import PackedTask, PackWidth
from paenet.packing.assembling import assemble
from paenet.packing.layout import join
from paenet.packing.widening import Builder


def materialize(
    held: Contents,
    tasks: str | Collection[str] | None,
    backbone: nn.Module | Builder | None,
    heads: Mapping[str, nn.Module],
    share_stems: bool,
) -> dict[str, nn.Sequential]:
    """The networks of some tasks (None takes all), by name. See `paenet.packfile.load`."""
    records = {task.name: task for task in held.document.tasks}
    names = names_of(records if tasks is None else tasks)
    for name in names:
        if name not in records:
            raise PackFileError(f"has no task {name!r}{suggest(name, records)}")
    first = [task.name for task in held.document.tasks[:1]]  # its norms may be others' too
    framed = [record for name, record in records.items() if name in (*names, *first)]
    rest = held.rest({record.slot for record in framed})
    _refuse_infinite(rest)
    pack = frame(held, framed, rest, backbone, heads)
    slots = {
        name: {records[name].slot, *(records[seen].slot for seen in records[name].sees)}
        for name in names
    }
    in_stem = {
        name: {records[name].slot, *(records[base].slot for base in first)} for name in names
    }
    # What is the first task's can be shared with it where it is loaded too.
    borrowing = (
        [n for n in names if n not in first] if share_stems and set(first) <= set(names) else []
    )
    states = {name: pack.private_of(pack.tasks[name]) for name in names}
    for name in borrowing:
        borrowed = states[name].keys() - pack.tasks[name].private.keys()
        states[name] |= {key: states[first[0]][key] for key in borrowed}
    own = {records[name].slot for name in names}
    for layer, parts in held.layers(set().union(*slots.values()), own):
        like = held.listed[named.theta(layer)]
        shared = [name for name in borrowing if _has_in_stem(pack.tasks[name], layer)]
        apart = [name for name in names if name not in shared]
        owners = [
            (in_stem if _has_in_stem(pack.tasks[name], layer) else slots)[name] for name in apart
        ]
        picking = {part.slot: part for part in parts if part.picked is not None}
        for part in parts:
            _refuse_infinite({named.theta(layer): part.values})
        for name, weight in zip(apart, _weights(like, parts, owners), strict=True):
            width = pack.widths[records[name].width]
            state = width.narrow(layer, weight)
            if records[name].slot in picking:
                used = _used(picking[records[name].slot], name, layer, width)
                state = state.masked_fill(~used, 0)
            states[name][join(layer, "weight")] = state
        for name in shared:
            states[name][join(layer, "weight")] = states[first[0]][join(layer, "weight")]
        del parts, picking  # before the next layer takes as much
    networks: dict[str, nn.Sequential] = {}
    for name in dict.fromkeys([*first, *names] if borrowing else names):
        task, lender = pack.tasks[name], networks[first[0]] if name in borrowing else None
        skeleton = pack.widths[task.width].skeleton
        networks[name] = assemble(skeleton, states[name], task.head, like=lender)
    return {name: networks[name] for name in names}


def _used(part: Part, name: str, layer: str, width: PackWidth) -> Tensor:
    """Bool, at the width of a task that picks: what it has picked and what is its own."""
    assert part.picked is not None
    picked = picks.narrowed(name, layer, width, part.picked)
    return picked | width.narrow(layer, part.mask.tensor)


def _has_in_stem(task: PackedTask, layer: str) -> bool:
    return task.stem is not None and layer in task.stem.layers


def _weights(
    like: Tensor, parts: Sequence[Part], tasks: Iterable[Collection[int]]
) -> Iterator[Tensor]:
    """A layer's weight for each of some tasks, zero where none of its slots owns it.

    What one has put together is the start of the next: nearly all of them have the base.
    """
    found: dict[tuple[int, ...], Tensor] = {}
    for slots in tasks:
        used = [part for part in parts if part.slot in slots]
        weight: Tensor | None = None
        for i, part in enumerate(used):
            key = tuple(earlier.slot for earlier in used[: i + 1])
            if key not in found:
                found[key] = (
                    torch.zeros(like.shape, dtype=like.dtype) if weight is None else weight.clone()
                )
                scatter(found[key], part.mask, part.values)
            weight = found[key]
        assert weight is not None  # a task is at least itself
        yield weight


def _refuse_infinite(tensors: Mapping[str, Tensor]) -> None:
    for finding in named.infinite(tensors):
        raise PackFileError(finding.message)
