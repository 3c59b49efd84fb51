"""One process of an alignment: photographs in, crops on the disk, entries for the record out."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from paenet.datasets import DataError
from paenet.datasets.decoding import decode
from paenet.datasets.locating import Place
from paenet.faces.detector import Detector, Faces, in_batches
from paenet.faces.errors import FacesError
from paenet.faces.framing import Framing
from paenet.faces.pixels import Pixels
from paenet.faces.record import Cut, Entry
from paenet.files import replacing
from paenet.workers import become_worker


@dataclass(frozen=True, slots=True)
class Job:
    """A photograph to align.

    Attributes:
        path: in IN, with forward slashes.
        stamp: size in bytes and time of change of its file.
        target: its crop in OUT, without an ending; `Framing.faces == "all"` numbers them.
    """

    path: str
    stamp: tuple[int, int]
    target: str


class Worker:
    """Aligns photographs of one folder into another.

    Args:
        source, out: the folders.
        framing: how faces are cut out.
    """

    def __init__(self, source: Path, out: Path, framing: Framing) -> None:
        self._source, self._out, self._framing = source, out, framing
        self._detector = Detector(min_face=framing.min_face)

    def align(self, jobs: list[Job]) -> list[Entry]:
        """Cuts out the faces of some photographs; broken ones are named in their entries.

        Raises:
            OSError: where a crop cannot be written.
        """
        entries: list[Entry] = []
        readable = self._decoded(jobs, entries)
        for batch in in_batches(readable, lambda one: one[1].shape[0] * one[1].shape[1]):
            found = self._detector.detect([pixels for _, pixels in batch])
            for (job, pixels), faces in zip(batch, found, strict=True):
                entries.append(self._cut(job, pixels, self._framing.choose(faces, pixels)))
        return entries

    def _decoded(self, jobs: list[Job], entries: list[Entry]) -> Iterator[tuple[Job, Pixels]]:
        """Photographs one by one, so that no more than a batch is held; entries for the broken."""
        for job in jobs:
            place = Place(self._source / job.path)
            try:
                yield job, decode(place.read(), place.name)
            except DataError as error:
                reason = str(error).removeprefix(f"{place.name}: ")
                entries.append(Entry(job.path, list(job.stamp), [], reason, broken=True))

    def _cut(self, job: Job, pixels: Pixels, faces: Faces) -> Entry:
        cuts: list[Cut] = []
        reason = "no face found"
        for row in range(len(faces)):
            number = f"_{len(cuts)}" if self._framing.faces == "all" else ""
            name = f"{job.target}{number}.{self._framing.format}"
            try:
                face = self._framing.cut(pixels, faces, row)
            except FacesError as error:
                reason = str(error)
                continue
            try:
                self._write(self._out / name, face)
            except OSError as error:
                if error.errno != errno.ENAMETOOLONG:
                    raise
                reason = "its name is too long for a crop's"
                continue
            cuts.append(
                Cut(
                    name,
                    np.round(faces.boxes[row].astype(float), 3).tolist(),
                    round(float(faces.scores[row]), 6),
                    np.round(faces.landmarks[row].astype(float), 3).tolist(),
                )
            )
        return Entry(job.path, list(job.stamp), cuts, None if cuts else reason)

    def _write(self, path: Path, face: Pixels) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            Pillow.fromarray(face).save(beside, **self._framing.saving)


_worker: Worker | None = None


def begin(source: Path, out: Path, framing: Framing) -> None:
    """Makes this process a worker of one thread."""
    global _worker  # noqa: PLW0603 - a pool's processes have no other place for what they keep
    become_worker(threads=1)
    _worker = Worker(source, out, framing)


def align(jobs: list[Job]) -> list[Entry]:
    """`Worker.align` in a process that has begun."""
    assert _worker is not None
    return _worker.align(jobs)
