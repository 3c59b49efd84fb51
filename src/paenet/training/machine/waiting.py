"""One process does what several want; the others wait for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def alone(lock: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Keeps other processes out that want the same, until they find it done.

    Args:
        lock: a file that stands for what is made, and stays; its folder exists.
        waiting: called where another process is at it, before waiting for that one.
    """
    held = FileLock(lock)
    try:
        held.acquire(timeout=0)
    except Timeout:
        waiting()
        held.acquire()
    try:
        yield
    finally:
        held.release()
