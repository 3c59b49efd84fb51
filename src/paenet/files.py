"""Files that are replaced whole or not at all."""

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; on leaving, it takes the place of `path`.

    The new content is flushed to the disk before the rename and the folder after it, so that a
    crash at any moment leaves the old file or the new one. When the body fails, the old file
    stays and the half-written one is removed. Of several writers at once, each has a file of its
    own, and the last to leave stays. Who may read and write the old file may the new one.

    Raises:
        OSError: with `path` as its file name, where the system refuses.
    """
    # Threads share a process id, and so do containers that share a folder. Without the file's own
    # name, which may be as long as a file system allows.
    beside = path.with_name(f".{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        yield beside
        with beside.open("rb+") as file:
            _take_mode(file.fileno(), path)
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        # A full disk names no file, and no one knows the one beside.
        if error.filename in (None, os.fspath(beside)):
            error.filename = os.fspath(path)
        raise
    finally:
        with suppress(OSError):  # the body has told, of a file in the way for example
            beside.unlink(missing_ok=True)
    # The new content is there; some file systems flush no folders.
    with suppress(OSError):
        _sync_folder(path.parent)


def _take_mode(descriptor: int, path: Path) -> None:
    """Gives an open file the permissions of the one whose place it takes, if there is one."""
    if os.name != "posix":
        return
    with suppress(FileNotFoundError):
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode != stat.S_IMODE(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, mode)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
