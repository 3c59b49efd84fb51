"""Streams: bytes that are compressed as a whole and read in order, as far as they promise."""

import os
from collections.abc import Iterable
from typing import IO, Any, cast

import numpy as np
import zstandard
from numpy.typing import NDArray

from paenet.packfile.errors import PackFileError, damaged

Bytes = NDArray[np.uint8]

LEVEL = 1  # zstandard's; most of what it meets cannot be made smaller at any
LEVELS = range(1, 20)
WINDOW = 2**23  # bytes of memory that a stream may ask its reader for
_CHUNK = 2**17
_BLOCK = 2**14  # bytes that share a code: values of a few channels, which are alike


def text_of(text: str) -> Bytes:
    """A text as UTF-8."""
    return np.frombuffer(text.encode(), np.uint8)


def compress(parts: Iterable[Bytes], level: int = LEVEL) -> bytes:
    """One zstandard frame that knows its content's size."""
    content = np.concatenate([np.empty(0, np.uint8), *(part.reshape(-1) for part in parts)]).data
    writer = zstandard.ZstdCompressor(level=level).compressobj(size=len(content))
    pieces = []
    for start in range(0, len(content), _BLOCK):
        if start:
            pieces.append(writer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
        pieces.append(writer.compress(content[start : start + _BLOCK]))
    return b"".join([*pieces, writer.flush()])


class Stream:
    """The content of one frame, read in order from an open file.

    Reading allocates what is asked for and at most `WINDOW` besides, whatever the bytes say.

    Args:
        name: for errors.
        descriptor: of the file.
        start, length: where the frame lies in it.
    """

    def __init__(self, name: str, descriptor: int, start: int, length: int) -> None:
        self.name = name
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW)
        self._reader: Any = decompressor.stream_reader(
            cast(IO[bytes], _Slice(descriptor, start, length)), read_size=_CHUNK
        )

    def take(self, count: int) -> Bytes:
        """The next `count` bytes.

        Raises:
            PackFileError: where there are fewer, or they are damaged.
        """
        content = np.empty(count, np.uint8)
        view, filled = content.data, 0
        try:
            while filled < count:
                read = self._reader.readinto(view[filled:])
                if read == 0:
                    raise damaged(f"stream {self.name!r} ends early")
                filled += read
        except zstandard.ZstdError as error:
            raise damaged(f"stream {self.name!r} cannot be decompressed ({error})") from None
        return content

    def rest(self, most: int) -> Bytes:
        """All that is left.

        Raises:
            PackFileError: where that is more than `most` bytes.
        """
        chunks: list[bytes] = []
        left = most
        try:
            while left and (chunk := self._reader.read(min(left, _CHUNK))):
                chunks.append(chunk)
                left -= len(chunk)
        except zstandard.ZstdError as error:
            raise damaged(f"stream {self.name!r} cannot be decompressed ({error})") from None
        self.end()
        return np.frombuffer(b"".join(chunks), np.uint8)

    def end(self) -> None:
        """Refuses content that no one has asked for."""
        try:
            rest = self._reader.read(1)
        except zstandard.ZstdError as error:
            raise damaged(f"stream {self.name!r} cannot be decompressed ({error})") from None
        if rest:
            raise PackFileError(f"stream {self.name!r} is too long; make the file again")


def read_at(descriptor: int, count: int, place: int) -> bytes:
    """At most `count` bytes of an open file from a place on; fewer where it ends.

    Raises:
        PackFileError: where the disk, or what stands for one, does not give them.
    """
    try:
        return os.pread(descriptor, count, place)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PackFileError(
            f"cannot be read ({reason}); see to the disk, or take the file from a backup"
        ) from None


class _Slice:
    """A part of a file, read without moving the place that others read from."""

    def __init__(self, descriptor: int, start: int, length: int) -> None:
        self._descriptor, self._place, self._end = descriptor, start, start + length

    def read(self, count: int) -> bytes:
        data = read_at(self._descriptor, min(count, self._end - self._place), self._place)
        self._place += len(data)
        return data
