"""Where the bytes of a file go, and how few there could be."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np

from paenet.packfile import container, picks, weights
from paenet.packfile.codings import CODINGS
from paenet.packfile.encoding import layers_of, stream_name
from paenet.packfile.errors import naming
from paenet.packfile.reading import sound, understood
from paenet.packfile.schema import TaskRecord
from paenet.packfile.streams import Bytes
from paenet.packfile.weights import OWNERS

_LARGEST = 2**31  # bytes of a stream, which has been decoded before it is counted


class TaskBytes(TypedDict):
    """What a task takes of a file, in bytes.

    Attributes:
        coding: how the values of its weights are written.
        values: these, with their scales or shared values.
        owners: which weights are its own.
        picks: which of those that it sees it uses; 0 where it uses all.
        norms: norms, biases and slopes.
        head: its head.
        owners_entropy: the order-0 entropy of its owner maps, layer by layer: that a weight is
            its own, given that no earlier task has it.
        picks_entropy: the order-0 entropy of its pick, layer by layer: that a weight that it sees
            is used.
        values_entropy: the order-0 entropy of the bytes of its values, stream by stream.
    """

    coding: str
    values: int
    owners: int
    picks: int
    norms: int
    head: int
    owners_entropy: float
    picks_entropy: float
    values_entropy: float


class Ledger(TypedDict):
    """Every byte of a file.

    Attributes:
        tasks: by name.
        container: header, document, shapes and channel maps.
        total: the file's size.
    """

    tasks: dict[str, TaskBytes]
    container: int
    total: int


def ledger(path: str | Path) -> Ledger:
    """Counts the bytes of a file; reads all of its weights.

    Raises:
        PackFileError: as `read`.
    """
    path = Path(path)
    with naming(path), container.opened(path) as archive:
        held = understood(archive, path)
        tensors = sound(held)
        layers = layers_of(tensors)
        records = held.document.tasks
        slots = {task.name: task.slot for task in records}
        entropies = weights.entropy(layers, [task.slot for task in records])
        tasks = {
            record.name: _task(
                archive,
                record,
                entropy,
                picks.entropy(tensors, record.slot, [slots[name] for name in record.sees]),
            )
            for record, entropy in zip(records, entropies, strict=True)
        }
    counted = sum(_bytes(task) for task in tasks.values())
    return Ledger(tasks=tasks, container=archive.size - counted, total=archive.size)


def _task(
    archive: container.Archive, record: TaskRecord, owners_entropy: float, picks_entropy: float
) -> TaskBytes:
    def size(part: str) -> int:
        return archive.places[stream_name(record.slot, part)][1]

    def entropy(part: str) -> float:
        return _entropy(archive.stream(stream_name(record.slot, part)).rest(_LARGEST))

    parts = CODINGS[record.codings.values].parts
    return TaskBytes(
        coding=record.codings.values,
        values=sum(map(size, parts)),
        owners=size(OWNERS),
        picks=size(picks.PICKS) if record.picks else 0,
        norms=size("private"),
        head=size("head"),
        owners_entropy=owners_entropy,
        picks_entropy=picks_entropy,
        values_entropy=sum(map(entropy, parts)),
    )


def _bytes(task: TaskBytes) -> int:
    return task["values"] + task["owners"] + task["picks"] + task["norms"] + task["head"]


def _entropy(content: Bytes) -> float:
    """The order-0 entropy of some bytes, in bytes."""
    counts = np.bincount(content, minlength=256)
    share = counts[counts > 0] / max(len(content), 1)
    return float(-(share * np.log2(share)).sum() * len(content) / 8)
