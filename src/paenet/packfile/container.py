"""The bytes of a `.pae`: a safetensors file of streams, and a document that vouches for all."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np
import safetensors.numpy

from paenet.files import replacing
from paenet.packfile import strict_json
from paenet.packfile.errors import PackFileError, damaged
from paenet.packfile.streams import Stream, read_at

KEY = "paenet"
MAJOR, MINOR = 1, 1
FORMAT = f"{MAJOR}.{MINOR}"

_UNSIGNED = "0" * 64  # stands in the digest's place while the digest is taken
_LONGEST_HEADER = 2**24  # bytes
_CHUNK = 2**20

_MENDS = {
    errno.ENOSPC: "free some space or choose another folder",
    errno.EDQUOT: "free some space or choose another folder",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.ENOENT: "make the folder first",
    errno.ENOTDIR: "choose a folder that exists",
    errno.EISDIR: "give the name of a file",
}


def save(path: Path, document: Mapping[str, Any], streams: Mapping[str, bytes]) -> None:
    """Writes a file whole or not at all; format and digests are added to the document.

    Raises:
        PackFileError: where the disk is full or refuses; what was there before is still there.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(streams.items())}
    whole = {"format": FORMAT, "sha256": _UNSIGNED, "digests": digests, **document}
    if strict_json.too_deep(whole):
        raise PackFileError(
            f"notes or arguments are nested more than {strict_json.DEEPEST} deep; flatten them"
        )
    text = json.dumps(whole, allow_nan=False, separators=(",", ":"))
    tensors = {name: np.frombuffer(data, np.uint8) for name, data in streams.items()}
    data = safetensors.numpy.save(tensors, metadata={KEY: text})
    end = 8 + int.from_bytes(data[:8], "little")
    if end > _LONGEST_HEADER:
        raise PackFileError(f"its metadata takes {end} bytes, at most {_LONGEST_HEADER} are read")
    # The first run of 64 zeros: the document is the header's first entry, `sha256` near its start.
    at = data.index(_UNSIGNED.encode())
    digest = hashlib.sha256(data[:end]).hexdigest().encode()
    try:
        # A link is followed, so that it goes on leading to the file.
        with replacing(Path(os.path.realpath(path))) as beside, beside.open("wb") as file:
            view = memoryview(data)
            for part in (view[:at], digest, view[at + len(digest) :]):
                file.write(part)
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, "see to the disk and try again")
        reason = error.strerror or str(error)
        raise PackFileError(
            f"cannot be written ({reason}); {mend} (nothing that was there is lost)"
        ) from None


@dataclass(frozen=True, slots=True)
class Archive:
    """An open file of which the header was checked to the last bit.

    Attributes:
        document: its JSON document.
        size: of the file, in bytes.
        places: where each stream's frame starts in the file, and its length.
    """

    document: dict[str, Any]
    size: int
    places: dict[str, tuple[int, int]]
    _descriptor: int

    def stream(self, name: str) -> Stream:
        """A stream of which every bit was checked, from its start.

        Raises:
            PackFileError: where it is missing or damaged.
        """
        if name not in self.places:
            raise PackFileError(f"stream {name!r} is missing; make the file again")
        start, length = self.places[name]
        if _digest(self._descriptor, start, length) != self.document["digests"][name]:
            raise damaged(f"stream {name!r} is not as it was written (SHA-256)")
        return Stream(name, self._descriptor, start, length)

    def check(self) -> None:
        """Checks every bit of every stream.

        Raises:
            PackFileError: names the first that is damaged.
        """
        for name in self.places:
            self.stream(name)


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Opens a file; what another process puts in its place meanwhile is not seen.

    Raises:
        PackFileError: where it is missing, something else, truncated, damaged or newer.
    """
    with _open(path) as file:
        yield _archive(file.fileno())


def refuse_unreadable(path: Path) -> None:
    """Refuses what is no file, and files that may not be read."""
    _open(path).close()


def _open(path: Path) -> BinaryIO:
    try:
        # Folders, and devices and pipes, which may never end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise PackFileError("is not a file; give one that paenet has written")
        return path.open("rb")
    except OSError as error:
        _unreadable(error)


def _archive(descriptor: int) -> Archive:
    size = os.fstat(descriptor).st_size
    start = read_at(descriptor, 9, 0)
    length = int.from_bytes(start[:8], "little")
    if size < 10 or start[8:] != b"{" or length > _LONGEST_HEADER:
        raise PackFileError("is not a .pae file; give one that paenet has written")
    head = read_at(descriptor, 8 + length, 0)
    if len(head) < 8 + length:
        raise damaged("it is truncated within its header")
    header = strict_json.parse(head[8:], "header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise PackFileError(
            f"is a safetensors file without {KEY!r} in its metadata, so not a .pae; "
            "give one that paenet has written"
        )
    document = strict_json.parse(metadata[KEY], f"metadata {KEY!r}")
    _check_version(document.get("format"))
    _check_digest(head, document.get("sha256"))
    places = _places(header, len(head))
    content = sum(length for _, length in places.values())
    if size != len(head) + content:
        state = "truncated" if size < len(head) + content else "longer than written"
        raise damaged(f"it is {state}: {size} of {len(head) + content} bytes")
    digests = document.get("digests")
    if not isinstance(digests, dict) or set(digests) != set(places):
        raise damaged("its metadata does not hold the digest of every stream")
    return Archive(document, size, places, descriptor)


def _places(header: Mapping[str, Any], start: int) -> dict[str, tuple[int, int]]:
    """Where the streams lie: one after the other, without holes."""
    found: dict[str, tuple[int, int]] = {}
    expected = 0
    try:
        entries = sorted(header.items(), key=lambda item: tuple(item[1]["data_offsets"]))
        for name, entry in entries:
            begin, end = entry["data_offsets"]
            whole = isinstance(begin, int) and isinstance(end, int) and begin == expected <= end
            if not whole or entry != {
                "dtype": "U8",
                "shape": [end - begin],
                "data_offsets": [begin, end],
            }:
                raise ValueError
            found[name] = (start + begin, end - begin)
            expected = end
    except (TypeError, KeyError, ValueError):
        raise damaged("its header does not say where the streams are") from None
    return found


def _check_digest(head: bytes, digest: object) -> None:
    """Holds the header to the digest in it."""
    text = str(digest).encode(errors="replace")
    if len(text) != len(_UNSIGNED) or head.count(text) != 1:
        raise damaged("its metadata holds no SHA-256 of itself")
    if hashlib.sha256(head.replace(text, _UNSIGNED.encode())).hexdigest().encode() != text:
        raise damaged("its metadata is not as it was written (SHA-256)")


def _check_version(version: object) -> None:
    parts = version.split(".") if isinstance(version, str) else []
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 5 for p in parts):
        shown = strict_json.brief(version)
        raise damaged(f"its format version is {shown}, not a text like {FORMAT!r}")
    if int(parts[0]) > MAJOR:
        raise PackFileError(f"has format {version}, and this paenet reads {MAJOR}.x; update paenet")
    if int(parts[0]) < MAJOR:
        raise PackFileError(
            f"has format {version} of an early paenet, and this one reads {MAJOR}.x; "
            "make the file again"
        )


def _digest(descriptor: int, start: int, length: int) -> str:
    digest = hashlib.sha256()
    for place in range(start, start + length, _CHUNK):
        digest.update(read_at(descriptor, min(_CHUNK, start + length - place), place))
    return digest.hexdigest()


def _unreadable(error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise PackFileError("does not exist; check the path") from None
    raise PackFileError(f"cannot be read ({error.strerror}); check the path and its permissions")
