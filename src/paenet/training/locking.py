"""Pack files that are about to be changed: by one command at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from paenet import packfile
from paenet.training.errors import RunError
from paenet.training.machine import launched


@contextmanager
def changing(path: Path) -> Iterator[None]:
    """Keeps others from changing a pack file meanwhile: what they add would be lost.

    Raises:
        PackFileError: where there is no such file.
        RunError: where another command is changing it.
    """
    packfile.describe(path)
    with reserving(path):
        yield


@contextmanager
def reserving(path: Path) -> Iterator[None]:
    """As `changing`, also where there is no such file yet.

    Raises:
        RunError: where another command is changing it.
    """
    if not launched().is_main_process:  # one of several that share a run locks for all
        yield
        return
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise RunError(f"{path}: another command is changing it; wait for that one") from None
    except OSError as error:
        raise RunError(
            f"{path.parent}: cannot be written to ({error.strerror}); give the permission"
        ) from None
    try:
        yield
    finally:
        lock.release()
