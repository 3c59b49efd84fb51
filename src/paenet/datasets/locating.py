"""Where a table's images lie: loose beside it, or inside archives; never outside its folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from paenet.datasets.archives import SUFFIXES, open_archive
from paenet.datasets.decoding import MAX_BYTES, decode
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Pixels, version_of


@dataclass(frozen=True)
class Place:
    """One image: a loose file, or a member of an archive."""

    file: Path
    member: str | None = None

    def read(self) -> bytes:
        """The image file's bytes.

        Raises:
            DataError: names the file and says why not.
        """
        if self.member is not None:
            return open_archive(self.file).read(self.member)
        try:
            size = self.file.stat().st_size
            if size > MAX_BYTES:
                raise DataError(
                    f"{self.file}: {size} bytes; at most {MAX_BYTES // 2**20} MiB are read"
                )
            return self.file.read_bytes()
        except OSError as error:
            raise DataError(f"{self.file}: {error.strerror or error}") from None

    @property
    def name(self) -> str:
        """The path to show."""
        return str(self.file) if self.member is None else f"{self.file}/{self.member}"


@dataclass(frozen=True)
class Reader:
    """Reads the image of a row; what `Examples.read` is for files."""

    places: tuple[Place, ...]

    def __call__(self, row: int) -> Pixels:
        place = self.places[row]
        return decode(place.read(), place.name)

    def version(self) -> str:
        """Hash of every place and of its file's size and time of change."""
        stamps = {file: _stamp(file) for file in dict.fromkeys(place.file for place in self.places)}
        return version_of(
            [(str(file.absolute()), *stamp) for file, stamp in stamps.items()],
            [place.name for place in self.places],
        )


def locate(table: Path, paths: Sequence[str]) -> Reader:
    """Finds the images of a table.

    A path is relative to the table's folder; a component that ends in .zip or .tar is an archive
    to look into. Archives are opened now; a single image that is absent shows when it is read.

    Args:
        table: the file that lists the paths.
        paths: as they stand there, with forward slashes.

    Raises:
        DataError: where a path leaves the table's folder, or an archive is absent or broken.
    """
    folder = table.parent
    real = folder.resolve()
    places = []
    checked: dict[Path, None] = {}
    for path in paths:
        place = _place(table, path)
        if place.file not in checked:
            # Links count: `faces/x.jpg` leaves the folder if `faces` links elsewhere.
            if not place.file.resolve().is_relative_to(real):
                raise _escapes(table, path)
            if place.member is not None:
                open_archive(place.file)
            checked[place.file] = None
        places.append(place)
    return Reader(tuple(places))


def _place(table: Path, path: str) -> Place:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path:
        raise _escapes(table, path)
    for depth, part in enumerate(pure.parts[:-1], start=1):
        if part.endswith(SUFFIXES):
            return Place(table.parent.joinpath(*pure.parts[:depth]), "/".join(pure.parts[depth:]))
    return Place(table.parent / pure)


def _escapes(table: Path, path: str) -> DataError:
    return DataError(
        f"{table}: path {path!r} leaves the table's folder; put the images beside the table and "
        "give paths relative to it, with forward slashes"
    )


def _stamp(file: Path) -> tuple[int, int]:
    try:
        stat = os.stat(file)
    except OSError:
        return -1, -1
    return stat.st_size, stat.st_mtime_ns
