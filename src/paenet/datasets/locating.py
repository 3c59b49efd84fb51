"""Where a table's images lie: loose beside it, or inside archives; never outside their folder."""

from __future__ import annotations

import os
import stat
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
            found = self.file.stat()
            if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
                raise DataError(f"{self.file}: is no plain file")
            if found.st_size > MAX_BYTES:
                raise DataError(
                    f"{self.file}: {found.st_size} bytes; at most {MAX_BYTES // 2**20} MiB are read"
                )
            return self.file.read_bytes()
        except OSError as error:
            raise DataError(f"{self.file}: {error.strerror or error}; check the path") from None

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
        files = dict.fromkeys(place.file for place in self.places)
        return version_of(
            [(str(file.absolute()), *stamp(file)) for file in files],
            [place.name for place in self.places],
        )


def locate(folder: Path, paths: Sequence[str], name: str) -> Reader:
    """Finds images by their paths.

    A path is relative to `folder`; a component that ends in .zip or .tar is an archive
    to look into. Archives are opened now; a single image that is absent shows when it is read.

    Args:
        folder: that no path may leave.
        paths: with forward slashes.
        name: what lists the paths, for errors.

    Raises:
        DataError: where a path leaves the folder, or an archive is absent or broken.
    """
    # Not `resolve`, which raises for links in a circle: such an image shows when it is read.
    real = os.path.realpath(folder)
    places = []
    checked: dict[Path, None] = {}
    for path in paths:
        if not inside(path):
            raise _escapes(name, path)
        place = _place(folder, path)
        if place.file not in checked:
            # Links count: `faces/x.jpg` leaves the folder if `faces` links elsewhere.
            if not Path(os.path.realpath(place.file)).is_relative_to(real):
                raise _escapes(name, path)
            if place.member is not None:
                open_archive(place.file)
            checked[place.file] = None
        places.append(place)
    return Reader(tuple(places))


def inside(path: str) -> bool:
    """Whether a path, by its text, stays in the folder that it is relative to."""
    pure = PurePosixPath(path)
    return not (pure.is_absolute() or ".." in pure.parts or "\\" in path or "\0" in path)


def _place(folder: Path, path: str) -> Place:
    pure = PurePosixPath(path)
    for depth, part in enumerate(pure.parts[:-1], start=1):
        if part.endswith(SUFFIXES):
            return Place(folder.joinpath(*pure.parts[:depth]), "/".join(pure.parts[depth:]))
    return Place(folder / pure)


def _escapes(name: str, path: str) -> DataError:
    return DataError(
        f"{name}: path {path!r} leaves the folder; put the images inside it and "
        "give relative paths with forward slashes"
    )


def stamp(file: Path) -> tuple[int, int]:
    """Size in bytes and time of change of a file, for its version; -1 and -1 where it is absent."""
    try:
        found = os.stat(file)
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns
