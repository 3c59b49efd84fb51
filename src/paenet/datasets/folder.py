"""A folder of images: a folder for each class, perhaps inside a folder for each split."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from paenet.datasets.drawing import three_ways
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import locate
from paenet.datasets.skipped import Skipped, Tally
from paenet.datasets.table import empty_split

SPLITS = ("train", "val", "test")
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm"),
    *(".heic", ".heif", ".avif"),  # not read: who has them is told so, image by image
)
"""Endings of files that are taken for images, whatever their case."""

Row = tuple[str, str, str]


def read_folder(path: str | Path, split: str | None = None) -> Examples:
    """The examples of a folder `[split/]class/image.jpg`, or in folders below that of a class.

    Where no folder is called train, val or test, eight of ten images are for training, one for
    validation and one for testing; which, depends on the image's path alone, so that no image
    moves when others come or go.

    Args:
        path: of the folder.
        split: "train", "val" or "test"; None takes all.

    Returns:
        Examples with the columns `label`, the class folder's name, and `split`.

    Raises:
        DataError: where there is no such folder, no image in it, or no image in the split.
    """
    folder = Path(path)
    rows, skipped = _rows(folder)
    chosen = [row for row in rows if split in (None, row[2])]
    if not chosen:
        raise empty_split(str(folder), str(split), (row[2] for row in rows))
    paths, labels, splits = zip(*chosen, strict=True)
    reader = locate(folder, paths, str(folder))
    columns = {"label": labels, "split": splits}
    return Examples(str(folder), paths, columns, reader, reader.version(), skipped)


def folder_splits(path: str | Path) -> tuple[str, ...]:
    """The splits of a folder that have images, of train, val and test.

    Raises:
        DataError: as `read_folder`.
    """
    rows, _ = _rows(Path(path))
    found = {split for _, _, split in rows}
    return tuple(split for split in SPLITS if split in found)


def _rows(folder: Path) -> tuple[list[Row], Skipped]:
    """Path, label and split of every image, in the order of the paths, and what is left out."""
    given = _has_splits(folder)
    above = 2 if given else 1  # folders over an image at least
    rows, tally = [], Tally()
    for path in sorted(_images(folder, above)):
        name, parents = path.as_posix(), path.parts[:-1]
        if len(parents) < above:
            tally.add("an image beside the folders of classes", name)
        else:
            rows.append((name, parents[above - 1], parents[0] if given else three_ways(name)))
    if not rows:
        raise DataError(f"{folder}: no images; expected [train/]CLASS/IMAGE.jpg")
    return rows, tally.result()


def _has_splits(folder: Path) -> bool:
    """Whether the folders in a folder are splits, and not classes.

    Raises:
        DataError: where it cannot be read, or has both.
    """
    names = sorted(path.name for path in _entries(folder) if path.is_dir())
    given = [name for name in names if name in SPLITS]
    strangers = [name for name in names if name not in SPLITS]
    if given and strangers:
        raise DataError(
            f"{folder}: folder {strangers[0]!r} stands beside the split {given[0]!r}; "
            "give a folder for each split, or a folder for each class"
        )
    return bool(given)


def _images(folder: Path, above: int) -> Iterator[Path]:
    """The images below a folder, relative to it; links lead on down to the folders of classes."""
    homes = [folder]
    for _ in range(above):
        entries = [entry for home in homes for entry in _entries(home)]
        homes = [entry for entry in entries if entry.is_dir()]
        yield from _of_images(folder, (entry for entry in entries if not entry.is_dir()))
    for home in homes:
        for parent, folders, files in os.walk(home, onerror=_refuse):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from _of_images(folder, (Path(parent, name) for name in files))


def _of_images(folder: Path, files: Iterator[Path]) -> Iterator[Path]:
    for file in files:
        if file.suffix.lower() in SUFFIXES and not file.name.startswith("."):
            yield file.relative_to(folder)


def _entries(folder: Path) -> list[Path]:
    try:
        return [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"{error.filename}: {error.strerror or error}; check the path") from None
