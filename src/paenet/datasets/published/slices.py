"""Images that are parts of one large file: pixels in a row of a CSV or in a binary record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Pixels, version_of
from paenet.datasets.locating import stamp


@dataclass(frozen=True)
class Slice:
    """Some bytes of a file, and how they become an image.

    Args:
        file: which.
        offset, length: in bytes.
        decode: `(bytes, name)` to RGB `(height, width, 3)`; raises DataError with the name. A
            function of a module, since readers travel to other processes.
        name: the place, for errors.
    """

    file: Path
    offset: int
    length: int
    decode: Callable[[bytes, str], Pixels]
    name: str

    def read(self) -> Pixels:
        """The image; opens the file anew, so that threads and forks share no position."""
        try:
            with self.file.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.length)
        except OSError as error:
            raise DataError(f"{self.file}: {error.strerror or error}; check the path") from None
        if len(data) < self.length:
            raise DataError(f"{self.name}: the file ends in the middle of it")
        return self.decode(data, self.name)


@dataclass(frozen=True)
class SliceReader:
    """Reads the image of a row; what `Examples.read` is for parts of a file."""

    parts: tuple[Slice, ...]

    def __call__(self, row: int) -> Pixels:
        return self.parts[row].read()

    def version(self) -> str:
        """Hash of the files' sizes and times of change, and of which parts of them are read."""
        files = dict.fromkeys(part.file for part in self.parts)
        return version_of(
            [(str(file.absolute()), *stamp(file)) for file in files],
            [(part.name, part.offset, part.length) for part in self.parts],
        )
