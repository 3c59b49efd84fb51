"""A folder of images: a folder for each class, perhaps inside a folder for each split."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.drawing import three_ways
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import locate
from paenet.datasets.table import empty_split

SPLITS = ("train", "val", "test")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm")


def read_folder(path: str | Path, split: str | None = None) -> Examples:
    """The examples of a folder `[split/]class/image.jpg`.

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
    rows = _rows(folder)
    chosen = [row for row in rows if split in (None, row[2])]
    if not chosen:
        raise empty_split(str(folder), str(split), (row[2] for row in rows))
    paths, labels, splits = zip(*chosen, strict=True)
    reader = locate(folder, paths, str(folder))
    columns = {"label": labels, "split": splits}
    return Examples(str(folder), paths, columns, reader, reader.version())


def folder_splits(path: str | Path) -> tuple[str, ...]:
    """The splits of a folder that have images, of train, val and test.

    Raises:
        DataError: as `read_folder`.
    """
    found = {split for _, _, split in _rows(Path(path))}
    return tuple(split for split in SPLITS if split in found)


def _rows(folder: Path) -> list[tuple[str, str, str]]:
    """Path, label and split of every image, in the order of the paths."""
    try:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir())
    except OSError as error:
        raise DataError(f"{folder}: {error.strerror or error}; check the path") from None
    given = [name for name in names if name in SPLITS]
    strangers = [name for name in names if name not in SPLITS and not name.startswith(".")]
    if given and strangers:
        raise DataError(
            f"{folder}: folder {strangers[0]!r} stands beside the split {given[0]!r}; "
            "give a folder for each split, or a folder for each class"
        )
    rows = []
    for file in sorted(folder.glob("*/*/*" if given else "*/*")):
        path = file.relative_to(folder)
        if file.suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in path.parts):
            name = path.as_posix()
            rows.append((name, path.parts[-2], path.parts[0] if given else three_ways(name)))
    if not rows:
        raise DataError(f"{folder}: no images; expected [train/]CLASS/IMAGE.jpg")
    return rows
