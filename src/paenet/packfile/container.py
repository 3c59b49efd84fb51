"""The bytes of a `.pae`: a safetensors file with one JSON document and one digest over it all."""

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from reprlib import repr as brief  # of hostile values too: short, and never too deep
from typing import Any, NoReturn

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from paenet.files import replacing
from paenet.packfile.errors import PackFileError

KEY = "paenet"
MAJOR, MINOR = 0, 1
FORMAT = f"{MAJOR}.{MINOR}"

_UNSIGNED = "0" * 64  # stands in the digest's place while the digest is taken
_LONGEST_HEADER = 100_000_000  # bytes; safetensors itself takes no longer one

_DEEPEST = 64  # lists and objects within each other

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


def save(path: Path, document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Writes a file whole or not at all; `format` and `sha256` are added to the document.

    Raises:
        PackFileError: where the disk is full or refuses; what was there before is still there.
    """
    whole = {"format": FORMAT, "sha256": _UNSIGNED, **document}
    if _too_deep(whole):
        raise PackFileError(
            f"notes or arguments are nested more than {_DEEPEST} deep; flatten them"
        )
    text = json.dumps(whole, allow_nan=False, separators=(",", ":"))
    data = safetensors.torch.save(dict(tensors), metadata={KEY: text})
    # The first run of 64 zeros: the document is the header's first entry, `sha256` near its start.
    at = data.index(_UNSIGNED.encode())
    rest = at + len(_UNSIGNED)
    digest = hashlib.sha256(data).hexdigest().encode()
    try:
        # A link is followed, so that it goes on leading to the file.
        with replacing(Path(os.path.realpath(path))) as beside, beside.open("wb") as file:
            view = memoryview(data)
            for part in (view[:at], digest, view[rest:]):
                file.write(part)
    except OSError as error:
        mend = _MENDS.get(error.errno or 0, "see to the disk and try again")
        reason = error.strerror or str(error)
        raise PackFileError(
            f"cannot be written ({reason}); {mend} (nothing that was there is lost)"
        ) from None


def read_bytes(path: Path) -> bytes:
    """Everything that is in a file.

    Raises:
        PackFileError: where it is missing, no regular file, or must not be read.
    """
    try:
        _check_regular(path)
        return path.read_bytes()
    except OSError as error:
        _unreadable(error)


def decode(data: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The document and the tensors of a file of which every bit was checked.

    Raises:
        PackFileError: where the bytes are something else, truncated, damaged or newer.
    """
    document = _document(data, len(data))
    digest = str(document.get("sha256")).encode()
    end = 8 + int.from_bytes(data[:8], "little")
    if len(digest) != len(_UNSIGNED) or data.count(digest, 8, end) != 1:
        raise _damaged("its metadata holds no SHA-256 of the file")
    at = data.index(digest, 8, end)
    view = memoryview(data)
    actual = hashlib.sha256(view[:at])
    actual.update(_UNSIGNED.encode())
    actual.update(view[at + len(digest) :])
    if actual.hexdigest().encode() != digest:
        raise _damaged("its SHA-256 is not the one that it was written with")
    try:
        return document, safetensors.torch.load(data)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise PackFileError(f"is no valid safetensors file ({_first_line(error)})") from None


def load_document(path: Path) -> dict[str, Any]:
    """The document alone, from the head of the file; the digest is not checked.

    Raises:
        PackFileError: as `read_bytes` and `decode`, for what the head can tell.
    """
    try:
        _check_regular(path)
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            start = file.read(8)
            head = file.read(min(int.from_bytes(start, "little"), _LONGEST_HEADER))
    except OSError as error:
        _unreadable(error)
    return _document(start + head, size)


def _document(head: bytes, size: int) -> dict[str, Any]:
    """The document in a file of `size` bytes that starts with `head`."""
    length = int.from_bytes(head[:8], "little")
    if size < 10 or head[8:9] != b"{" or length > _LONGEST_HEADER:
        raise PackFileError("is not a .pae file; give one that paenet has written")
    if 8 + length > size:
        raise _damaged("it is truncated within its header")
    header = _parse(head[8 : 8 + length], "header")
    metadata = header.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise PackFileError(
            f"is a safetensors file without {KEY!r} in its metadata, so not a .pae; "
            "give one that paenet has written"
        )
    document = _parse(metadata[KEY], f"metadata {KEY!r}")
    _check_version(document.get("format"))
    expected = 8 + length + _content(header)
    if size != expected:
        state = "truncated" if size < expected else "longer than written"
        raise _damaged(f"it is {state}: {size} of {expected} bytes")
    return document


def _content(header: Mapping[str, Any]) -> int:
    """Bytes of all tensors: where the last one ends."""
    try:
        ends = [int(entry["data_offsets"][1]) for entry in header.values()]
    except (TypeError, KeyError, IndexError, ValueError):
        raise _damaged("its header does not say where the tensors are") from None
    return max(ends, default=0)


def _check_version(version: object) -> None:
    parts = version.split(".") if isinstance(version, str) else []
    if len(parts) != 2 or not all(p.isascii() and p.isdigit() and len(p) < 5 for p in parts):
        raise _damaged(f"its format version is {brief(version)}, not a text like {FORMAT!r}")
    if int(parts[0]) > MAJOR:
        raise PackFileError(
            f"has format {version}, and this paenet reads up to {MAJOR}.x; update paenet"
        )


def _parse(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except RecursionError:
        raise _damaged(f"its {what} is nested too deeply") from None
    except ValueError as error:  # of JSON, of Unicode, and of the two hooks
        raise _damaged(f"its {what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _damaged(f"its {what} is not a JSON object")
    if _too_deep(value):
        raise _damaged(f"its {what} is nested too deeply")
    return value


def _too_deep(value: object) -> bool:
    """Whether a JSON value is nested deeper than code that follows it may recurse."""
    level = [value]
    for _ in range(_DEEPEST):
        nested = [item for item in level if isinstance(item, dict | list)]
        level = [c for n in nested for c in (n.values() if isinstance(n, dict) else n)]
    return bool(level)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {brief(twice)} occurs twice")
    return result


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _check_regular(path: Path) -> None:
    """Refuses folders, and devices and pipes, which may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise PackFileError("is not a file; give one that paenet has written")


def _damaged(fact: str) -> PackFileError:
    return PackFileError(f"is damaged: {fact}; copy it again from where it came from")


def _unreadable(error: OSError) -> NoReturn:
    if isinstance(error, FileNotFoundError):
        raise PackFileError("does not exist; check the path") from None
    raise PackFileError(f"cannot be read ({error.strerror}); check the path and its permissions")


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
