"""Labeled Faces in the Wild: 13,233 faces of 5749 people, and pairs (Huang et al., 2007)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.pairs import Pairs, make_pairs
from paenet.datasets.published.lines import Line, read_lines
from paenet.datasets.published.listing import Listing
from paenet.datasets.published.walking import images, subfolders
from paenet.datasets.skipped import quoted

LABELS = ("identity",)
# What the archives of the several alignments unpack to.
FOLDERS = ("lfw", "lfw_funneled", "lfw-deepfunneled")
_SUFFIXES = (".jpg", ".png")


def list_lfw(root: Path) -> Listing:
    """Folders of people: `Aaron_Eckhart/Aaron_Eckhart_0001.jpg`, in the root or in `lfw/`.

    All of it is the split test: LFW measures what was learnt elsewhere, on its pairs first of all
    (`read_lfw_pairs`). An example is `identity`, the folder's name.

    Args:
        root: with the people's folders, or with `lfw/`, `lfw_funneled/` or `lfw-deepfunneled/`.

    Raises:
        DataError: where there is no such folder.
    """
    listing = Listing(root, LABELS)
    inner = _folder(root)
    for person in subfolders(root / inner):
        for path in images(listing, f"{inner}{person}"):
            listing.add(path, "test", path, {"identity": person})
    return listing


def read_lfw_pairs(root: str | Path) -> Pairs:
    """The pairs of `pairs.txt` in the official format, over the images of the same folder.

    Its first line has the number of folds and of pairs of each kind in a fold (`10`, `300`). For
    each fold follow the pairs of one person (`name`, `number`, `number`), then those of two
    (`name`, `number`, `name`, `number`). The file of a development set has one fold and a first
    line with the number of pairs only.

    A test cannot leave pairs out, or its figures would be those of another test: a line that is
    wrong is an error here, and so is an image that is absent, once it is read.

    Args:
        root: as `list_lfw`, with `pairs.txt` in it or among the people's folders.

    Raises:
        DataError: names the file and the line.
    """
    root = Path(root)
    inner = _folder(root)
    file = find_lfw_pairs(root)
    if file is None:
        raise DataError(f"{root}: no pairs.txt in it; put the one of LFW there")
    lines = list(read_lines(file))
    folds, count = _header(file, lines)
    if len(lines) != 1 + 2 * folds * count:
        raise DataError(
            f"{file}: {len(lines) - 1} pairs, but its first line announces {folds} folds of "
            f"{count} of one person and {count} of two; fetch the file again"
        )
    a, b, same, fold = [], [], [], []
    for index, line in enumerate(lines[1:]):
        matched = index % (2 * count) < count
        one, two = _pair(file, line, matched)
        a.append(_image(root, inner, *one))
        b.append(_image(root, inner, *two))
        same.append(matched)
        fold.append(1 + index // (2 * count))
    return make_pairs(str(file), root, a, b, same, fold)


def find_lfw_pairs(root: str | Path) -> Path | None:
    """The file that `read_lfw_pairs` reads; None where there is none."""
    root = Path(root)
    places = (root / "pairs.txt", root / _folder(root) / "pairs.txt")
    return next((file for file in places if file.is_file()), None)


def _folder(root: Path) -> str:
    """What comes before a person's folder in paths: nothing, or `lfw/`."""
    return next((f"{name}/" for name in FOLDERS if (root / name).is_dir()), "")


def _header(file: Path, lines: list[Line]) -> tuple[int, int]:
    numbers = lines[0].text.split() if lines else []
    if not 1 <= len(numbers) <= 2 or not all(_is_count(text) for text in numbers):
        raise DataError(f"{file}: the first line must be folds and pairs, such as '10\t300'")
    folds, count = map(int, numbers if len(numbers) == 2 else ["1", *numbers])
    return folds, count


def _pair(file: Path, line: Line, matched: bool) -> tuple[tuple[str, str], tuple[str, str]]:
    cells = line.text.split()
    if len(cells) != (3 if matched else 4):
        what = "name, number, number" if matched else "name, number, name, number"
        raise DataError(f"{file}: {line.place}: {quoted(line.text)} is not '{what}'")
    one, two = (cells[0], cells[1]), (cells[0 if matched else 2], cells[-1])
    for _, number in (one, two):
        if not _is_count(number):
            raise DataError(f"{file}: {line.place}: {quoted(number)} is no number of an image")
    return one, two


def _image(root: Path, inner: str, name: str, number: str) -> str:
    """The path of an image: .jpg as distributed, .png where somebody has aligned them so."""
    stem = f"{inner}{name}/{name}_{int(number):04d}"
    return next((stem + s for s in _SUFFIXES if (root / (stem + s)).is_file()), stem + ".jpg")


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 4 and int(text) > 0
