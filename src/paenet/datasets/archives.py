"""Images inside .zip and .tar files: each archive is opened once and kept."""

from __future__ import annotations

import os
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from paenet.datasets.decoding import MAX_BYTES
from paenet.datasets.errors import DataError

SUFFIXES = (".zip", ".tar")
# Of these no more is unpacked than is asked for.
_BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive(ABC):
    """The files inside one archive.

    Args:
        path: of the archive.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, member: str) -> bytes:
        """The bytes of one file.

        Raises:
            DataError: where it is absent, is no plain file, is broken or is too large.
        """
        size = self._size(member)
        if size is None:
            raise DataError(f"{self.path}/{member}: the archive has no such file")
        if size > MAX_BYTES:
            raise DataError(
                f"{self.path}/{member}: {size} bytes; at most {MAX_BYTES // 2**20} MiB are read"
            )
        return self._read(member, size)

    @abstractmethod
    def _size(self, member: str) -> int | None: ...

    @abstractmethod
    def _read(self, member: str, size: int) -> bytes: ...


class _Zip(Archive):
    """Reads under the lock that `zipfile` itself holds; checks every file's CRC."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._file = zipfile.ZipFile(path)

    def _size(self, member: str) -> int | None:
        info = self._file.NameToInfo.get(member)
        return None if info is None or info.is_dir() else info.file_size

    def _read(self, member: str, size: int) -> bytes:
        # Of others `zipfile` unpacks whole blocks at once, whatever was announced.
        if self._file.NameToInfo[member].compress_type not in _BOUNDED:
            raise DataError(f"{self.path}/{member}: is compressed otherwise than by deflate")
        try:
            with self._file.open(member) as file:
                # Never more than announced: a bomb unpacks to more.
                return file.read(size)
        # zipfile raises whatever its parts do: BadZipFile, zlib.error, EOFError and struct.error
        # for broken members, others for encrypted ones and for compressions that it does not know.
        except Exception as error:
            raise DataError(f"{self.path}/{member}: cannot be unpacked: {error}") from None


class _Tar(Archive):
    """Finds every file once, then reads at its place, which needs no lock."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # "r:" is plain tar: a compressed one could only be read from its beginning, every time.
        with tarfile.open(path, "r:") as file:
            self._places = {
                member.name.removeprefix("./"): (member.offset_data, member.size)
                for member in _forward(file)
                if member.isreg() and not member.issparse()
            }
        self._file = path.open("rb")

    def _size(self, member: str) -> int | None:
        place = self._places.get(member)
        return None if place is None else place[1]

    def _read(self, member: str, size: int) -> bytes:
        try:
            data = os.pread(self._file.fileno(), size, self._places[member][0])
        except OSError as error:
            raise DataError(f"{self.path}/{member}: {error.strerror or error}") from None
        if len(data) < size:
            raise DataError(f"{self.path}/{member}: the archive ends in the middle of it")
        return data


def _forward(file: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    """Its members, one after the other: a size below zero would lead back to where they began."""
    end = -1
    for member in file:
        if member.size < 0 or member.offset <= end:
            raise tarfile.TarError("its members do not follow one another")
        end = member.offset
        yield member


def open_archive(path: Path) -> Archive:
    """An archive, opened once for each process and for each version of the file.

    Safe with threads and with forks: a child opens its own, since a lock that another thread held
    at the fork would never be released.

    Raises:
        DataError: where it is absent or is no archive.
    """
    try:
        stat = path.stat()
        return _opened(path, stat.st_size, stat.st_mtime_ns, os.getpid())
    except FileNotFoundError:
        raise DataError(f"{path}: no such archive; put it there or correct the table") from None
    # What the bytes lead to beside the libraries' own errors: a zip of a later version, headers
    # nested deeper than Python recurses, struct.error, ...
    except Exception as error:
        kind = path.suffix.removeprefix(".")
        raise DataError(
            f"{path}: cannot be read as an uncompressed {kind}: {error}"
            if kind == "tar"
            else f"{path}: cannot be read as a {kind}: {error}"
        ) from None


@lru_cache(maxsize=64)
def _opened(path: Path, size: int, changed: int, process: int) -> Archive:
    return (_Zip if path.suffix == ".zip" else _Tar)(path)
