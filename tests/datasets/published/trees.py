"""Miniature data sets: files in exactly the layout that their owners distribute."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from paenet.datasets import Examples, read_published
from tests.datasets.pictures import picture, png


def put_images(root: Path, names: Iterable[str]) -> None:
    """A picture under each name; the seed is its place in the list."""
    for seed, name in enumerate(names):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(picture(seed)))


def put_lines(file: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    """A text file; bytes stay as they are, so that a line may be of any encoding."""
    file.parent.mkdir(parents=True, exist_ok=True)
    raw = [line if isinstance(line, bytes) else line.encode() for line in lines]
    file.write_bytes(b"".join(line + end for line in raw))
    return file


def reasons(examples: Examples) -> Mapping[str, int]:
    """How many rows were left out for which reason."""
    return examples.skipped.counts


def labels(examples: Examples, column: str) -> dict[str, str]:
    """The label of each image."""
    return dict(zip(examples.paths, examples.columns[column], strict=True))


def splits_of(name: str, root: Path, column: str, **options: object) -> dict[str, set[str]]:
    """The values of a column by split."""
    examples = read_published(name, root, **options)
    found: dict[str, set[str]] = {}
    for value, split in zip(examples.columns[column], examples.columns["split"], strict=True):
        found.setdefault(split, set()).add(value)
    return found
