"""Data sets whose owners give one image under several names: which files hold the same bytes."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path


class Contents:
    """The contents of the files of a folder that were asked for so far.

    A file is read only where another one has its size. One that cannot be read, or is no plain
    file, is like no other: whoever decodes it says what is wrong.

    Args:
        root: the folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._first: dict[int, str] = {}  # of each size, its path
        self._digests: set[bytes] = set()

    def seen(self, path: str) -> bool:
        """Whether an earlier file has the same bytes.

        Args:
            path: relative to the root, with forward slashes.
        """
        size = self._size(path)
        if size is None:
            return False
        if size not in self._first:
            self._first[size] = path
            return False
        # The first of a size is read when a second one comes, and once.
        if first := self._first[size]:
            self._digests |= self._digest(first)
            self._first[size] = ""
        digest = self._digest(path)
        known = bool(digest & self._digests)
        self._digests |= digest
        return known

    def _size(self, path: str) -> int | None:
        try:
            found = (self._root / path).stat()
        except OSError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def _digest(self, path: str) -> set[bytes]:
        """One hash; none where the file cannot be read."""
        try:
            with (self._root / path).open("rb") as file:
                return {hashlib.file_digest(file, "sha256").digest()}
        except OSError:
            return set()
