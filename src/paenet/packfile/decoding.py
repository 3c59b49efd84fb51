"""From the streams of a file to tensors: those of some tasks, layer by layer, or all."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from paenet.packfile import blobs, picks, shapes
from paenet.packfile import tensors as named
from paenet.packfile.codings import CODINGS, Mask
from paenet.packfile.container import Archive
from paenet.packfile.encoding import MAPS, stream_name
from paenet.packfile.errors import PackFileError
from paenet.packfile.schema import Document, TaskRecord
from paenet.packfile.streams import Stream
from paenet.packfile.weights import OWNERS, Owners, scatter

_MOST_PARTS = 2**20  # layers times tasks; FaceNet with the most tasks that can be has 33,000


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """What a task has of a layer.

    Attributes:
        slot: the task's.
        mask: its weights.
        values: `(n,)`, theirs, in the order of their places.
        picked: bool, of the layer's shape: which of the weights that the task sees it uses; None
            where it uses all of them, or its pick is not wanted.
    """

    slot: int
    mask: Mask
    values: Tensor
    picked: Tensor | None = None


@dataclass(frozen=True, eq=False, slots=True)
class _Pick:
    """How a task picks.

    Attributes:
        stream: of its bits.
        sees: the slots of the tasks that it sees.
        whole: layers that it has whole: those of its stem.
    """

    stream: Stream
    sees: Collection[int]
    whole: Collection[str]

    def of(self, layer: str, part: Part, parts: Sequence[Part]) -> Part:
        """What the task has of the layer that comes next, with its pick; all parts are given."""
        if layer in self.whole:
            return part
        seen = [other.mask for other in parts if other.slot in self.sees]
        return replace(part, picked=picks.decode(self.stream, seen, part.mask.shape))


@dataclass(frozen=True, eq=False, slots=True)
class Contents:
    """What is in an open file: read when it is asked for.

    Attributes:
        archive: the streams.
        document: what it says.
        listed: every tensor but owner maps, without values.
    """

    archive: Archive
    document: Document
    listed: Mapping[str, Tensor]

    def layers(
        self, slots: Collection[int], picking: Collection[int]
    ) -> Iterator[tuple[str, list[Part]]]:
        """Every layer's name and what each task has of it, in the order of names.

        One layer at a time is in memory.

        Args:
            slots: of the tasks whose weights are wanted.
            picking: of those of them whose picks are, whose seen tasks must be among `slots`.

        Raises:
            PackFileError: where a stream is damaged or not as it must be.
        """
        tasks = self.document.tasks
        while tasks and tasks[-1].slot not in slots:  # whose owners say nothing of those before
            tasks = tasks[:-1]
        owners = {task.slot: self._stream(task, OWNERS) for task in tasks}
        values = {
            task.slot: {part: self._stream(task, part) for part in _parts(task)}
            for task in tasks
            if task.slot in slots
        }
        chosen = {
            task.slot: _Pick(
                self._stream(task, picks.PICKS),
                {other.slot for other in tasks if other.name in task.sees},
                frozenset(task.stem.layers if task.stem is not None else ()),
            )
            for task in tasks
            if task.picks and task.slot in picking
        }
        for name in named.layers_of(self.listed):
            parts = _next(self.listed[named.theta(name)], tasks, owners, values)
            parts = [
                chosen[part.slot].of(name, part, parts) if part.slot in chosen else part
                for part in parts
            ]
            yield name, parts
            del parts  # before the next layer takes as much
        streams = [*owners.values(), *(s for parts in values.values() for s in parts.values())]
        for stream in [*streams, *(pick.stream for pick in chosen.values())]:
            stream.end()

    def rest(self, slots: Collection[int]) -> dict[str, Tensor]:
        """Channel maps, and the norms, biases, slopes and heads of some tasks."""
        found: dict[str, Tensor] = {}
        maps = self._under("outputs.", "inputs.")
        if maps:
            found |= blobs.decode_maps(maps, self.archive.stream(MAPS))
        for task in self.document.tasks:
            if task.slot not in slots:
                continue
            for kind, coding in (("private", task.codings.private), ("head", task.codings.head)):
                like = self._under(f"{kind}.{task.slot}.")
                found |= blobs.decode(like, coding, self._stream(task, kind))
        return found

    def everything(self) -> dict[str, Tensor]:
        """All tensors, as `paenet.packfile.tensors` names them."""
        slots = {task.slot for task in self.document.tasks}
        found = self.rest(slots)
        for name, parts in self.layers(slots, slots):
            like = self.listed[named.theta(name)]
            theta = torch.zeros(like.shape, dtype=like.dtype)
            owner = torch.zeros(like.shape, dtype=torch.uint8)
            for part in parts:
                scatter(theta, part.mask, part.values)
                numbers = torch.full((part.mask.count,), part.slot, dtype=owner.dtype)
                scatter(owner, part.mask, numbers)
                if part.picked is not None:
                    found[named.picked(part.slot, name)] = part.picked
            found |= {named.theta(name): theta, named.owner(name): owner}
        return found

    def _stream(self, task: TaskRecord, part: str) -> Stream:
        return self.archive.stream(stream_name(task.slot, part))

    def _under(self, *prefixes: str) -> dict[str, Tensor]:
        return {name: t for name, t in self.listed.items() if name.startswith(prefixes)}


def _next(
    like: Tensor,
    tasks: Sequence[TaskRecord],
    owners: Mapping[int, Stream],
    values: Mapping[int, Mapping[str, Stream]],
) -> list[Part]:
    """What tasks have of the layer that comes next in their streams."""
    who = Owners(like.shape)
    parts = []
    for task in tasks:
        mask = who.take(owners[task.slot])
        if task.slot in values:
            coding = CODINGS[task.codings.values]
            found = coding.decode(values[task.slot], mask, like.dtype)
            parts.append(Part(task.slot, mask, found))
    return parts


def contents(archive: Archive, document: Document) -> Contents:
    """What is in an open file, held to the streams and tensors that its tasks must have.

    Raises:
        PackFileError: names the stream or tensor that is missing, unknown or too large.
    """
    picking = sum(task.picks for task in document.tasks)
    stream = archive.stream(shapes.NAME)
    listed = shapes.decode(stream, archive.size, len(document.tasks), picking)
    for finding in named.misnamed(listed):
        raise PackFileError(finding.message)
    slots = {str(task.slot) for task in document.tasks}
    for name, like in listed.items():
        if not _belongs(name, like, slots):
            raise PackFileError(
                f"tensor {name!r} ({named.sketch(like)}) belongs to nothing; make the file again"
            )
    kinds = named.kinds_of(listed)
    if len(kinds) > 1:
        raise PackFileError(
            f"has weights of several types ({', '.join(kinds)}); make the file again"
        )
    layers = len(named.layers_of(listed))
    if layers * len(slots) > _MOST_PARTS:  # each takes its time, even where there is nothing in it
        raise PackFileError(
            f"has {layers} layers for {len(slots)} tasks, more than can be; make the file again"
        )
    expected = {shapes.NAME}
    if any(name.startswith(("outputs.", "inputs.")) for name in listed):
        expected.add(MAPS)
    for task in document.tasks:
        parts = {OWNERS, "private", "head", *_parts(task), *([picks.PICKS] * task.picks)}
        expected |= {stream_name(task.slot, part) for part in parts}
    for name in sorted(expected ^ set(archive.places)):
        state = "is missing" if name in expected else "belongs to nothing"
        raise PackFileError(f"stream {name!r} {state}; make the file again")
    return Contents(archive, document, listed)


def _belongs(name: str, like: Tensor, slots: Collection[str]) -> bool:
    """Whether a tensor is of a sort that a stream holds; the network it fits is looked at later."""
    kind, _, rest = name.partition(".")
    if kind == "theta":
        return like.is_floating_point() and like.dim() >= 2
    if kind in ("outputs", "inputs"):
        return like.dtype == torch.int64
    return kind in ("private", "head") and rest.partition(".")[0] in slots


def _parts(task: TaskRecord) -> tuple[str, ...]:
    """The streams that hold the values of a task's weights."""
    return CODINGS[task.codings.values].parts
