"""The decoded-image cache: every image is decoded once, then read from a memory-mapped file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from paenet.datasets.decoding import fit
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples, Pixels, version_of
from paenet.files import replacing
from paenet.workers import processors

# Part of the key: raise it when decoding or scaling gives other pixels.
_VERSION = 1
_AHEAD = 256


class Images:
    """The pixels of examples at one size.

    The cache is one .npy file and one .json beside it, named after (examples, size), written
    beside and renamed: two processes may do it at once, and a killed one leaves nothing that is
    read. Images that cannot be read are left out and named; each time they are tried again, and
    all are decoded anew where one of them can be read by now.

    Args:
        examples: at least one.
        size: of the square images, in pixels.
        cache: folder; made where it is absent.
        max_broken: share of images that may be broken, 0 to 1.
        progress: called with (images done, images in all) while decoding.

    Attributes:
        pixels: `(N, size, size, 3)` uint8 RGB, memory-mapped; kept images only. What is
            written to it stays in memory.
        kept: `(N,)` their rows in `examples`.
        broken: path and reason of each of the others.
        hash: changes when the pixels could have.

    Raises:
        DataError: where more than `max_broken` are broken, or the cache cannot be written.
    """

    pixels: NDArray[np.uint8]
    kept: NDArray[np.int64]
    broken: list[tuple[str, str]]
    hash: str

    def __init__(
        self,
        examples: Examples,
        size: int,
        cache: str | Path,
        *,
        max_broken: float = 0.01,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.examples = examples
        key = version_of(_VERSION, examples.version, size)
        pixels, notes = Path(cache) / f"{key[:32]}.npy", Path(cache) / f"{key[:32]}.json"
        # The notes are written first, so that pixels never stand without them.
        there = pixels.exists() and notes.exists()
        if not (there and _current(examples, size, *_load(pixels, notes))):
            _build(examples, size, pixels, notes, max_broken, progress)
        self.pixels, broken = _load(pixels, notes)
        _check(examples, broken, max_broken)
        rows = {entry.row for entry in broken}
        self.kept = np.array([row for row in range(len(examples)) if row not in rows], np.int64)
        self.broken = [(entry.path, entry.reason) for entry in broken]
        # Two machines, or two days, may find different images broken.
        self.hash = version_of(key, sorted(rows)) if rows else key

    def __len__(self) -> int:
        return len(self.kept)


@dataclass(frozen=True)
class _Broken:
    row: int
    path: str
    reason: str


def _load(pixels: Path, notes: Path) -> tuple[NDArray[np.uint8], list[_Broken]]:
    try:
        entries = json.loads(notes.read_text("utf-8"))["broken"]
        # Copy on write: torch wants writable memory, and the file stays as it is.
        return np.load(pixels, mmap_mode="c", allow_pickle=False), [_Broken(**e) for e in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{pixels}: cannot be read: {error}; delete it to decode the images again"
        ) from None


def _current(
    examples: Examples, size: int, pixels: NDArray[np.uint8], broken: list[_Broken]
) -> bool:
    """Whether pixels and notes are of one decoding, and what was broken then still is."""
    kept = len(examples) - len(broken)
    if pixels.dtype != np.uint8 or pixels.shape != (kept, size, size, 3):
        return False  # two processes have written at once, and found different images broken
    return all(isinstance(_one(examples, size, entry.row), DataError) for entry in broken)


def _build(
    examples: Examples,
    size: int,
    pixels: Path,
    notes: Path,
    max_broken: float,
    progress: Callable[[int, int], None] | None,
) -> None:
    broken: list[_Broken] = []
    try:
        pixels.parent.mkdir(parents=True, exist_ok=True)
        with replacing(pixels) as beside:
            # Ordinary writes, not a writable map: a full disk is then an error, not a SIGBUS.
            with beside.open("wb") as file:
                _header(file, len(examples), size)
                for row, found in enumerate(_decoded(examples, size)):
                    if isinstance(found, DataError):
                        broken.append(_Broken(row, examples.paths[row], str(found)))
                        # At once: no one wants to wait for the end of a hopeless set.
                        _check(examples, broken, max_broken)
                    else:
                        file.write(found.tobytes())
                    if progress is not None:
                        progress(row + 1, len(examples))
                file.seek(0)
                _header(file, len(examples) - len(broken), size)
            with replacing(notes) as text:
                found_broken = [vars(entry) for entry in broken]
                text.write_text(json.dumps({"broken": found_broken}), "utf-8")
    except OSError as error:
        raise DataError(
            f"{pixels.parent}: cannot keep decoded images there: {error.strerror or error}; "
            "free some space, or name another cache in PAENET_CACHE"
        ) from None


def _header(file: BinaryIO, count: int, size: int) -> None:
    """NumPy leaves room for the first axis to grow, so its length does not depend on `count`."""
    npy.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": (count, size, size, 3)}
    )


def _decoded(examples: Examples, size: int) -> Iterator[Pixels | DataError]:
    """Every image in order; threads suffice, since Pillow decodes without the interpreter lock."""
    one = partial(_one, examples, size)
    rows = iter(range(len(examples)))
    with ThreadPoolExecutor(processors()) as pool:
        # A window, since `pool.map` would hold every decoded image that is not yet written.
        while window := list(islice(rows, _AHEAD)):
            yield from pool.map(one, window)


def _one(examples: Examples, size: int, row: int) -> Pixels | DataError:
    """An image, or why it cannot be read."""
    try:
        return fit(examples.read(row), size)
    except DataError as error:
        return error


def _check(examples: Examples, broken: list[_Broken], max_broken: float) -> None:
    if len(broken) > max_broken * len(examples):
        first = "; ".join(entry.reason for entry in broken[:3])
        raise DataError(
            f"{examples.name}: at least {len(broken)} of {len(examples)} images are broken, more "
            f"than max_broken = {max_broken:g} allows: {first}; mend them or raise input.max_broken"
        )
