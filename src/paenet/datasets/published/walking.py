"""Data sets whose labels are names of folders and files: the images there are, in order."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.folder import SUFFIXES
from paenet.datasets.published.listing import Listing
from paenet.datasets.skipped import quoted


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, sorted, without hidden ones.

    Raises:
        DataError: where it cannot be read.
    """
    return [name for name, is_folder in _entries(folder) if is_folder]


def images(listing: Listing, folder: str) -> Iterator[str]:
    """The paths of the images in one folder of a data set, relative to its root and sorted.

    A name that is no UTF-8 is counted and left out, since nothing could print it.

    Raises:
        DataError: where the folder cannot be read.
    """
    for name, is_folder in _entries(listing.root / folder):
        if not is_folder and name.lower().endswith(SUFFIXES):
            path = f"{folder}/{name}" if folder else name
            if path.isprintable():
                yield path
            else:
                listing.skip("the name is not UTF-8 text", quoted(path))


def _entries(folder: Path) -> list[tuple[str, bool]]:
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}; check the path") from None
    return sorted(entry for entry in found if not entry[0].startswith("."))
