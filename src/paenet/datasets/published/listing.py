"""What a published data set lists: its images, their labels and splits, and what is wrong."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import inside, locate
from paenet.datasets.published.slices import Slice, SliceReader
from paenet.datasets.skipped import Tally, quoted
from paenet.datasets.table import empty_split
from paenet.errors import suggest

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Unknown:
    """A label that is not known, and why: `"age 'None'"`."""

    reason: str


Label = str | Unknown


@dataclass(frozen=True, slots=True)
class _Row:
    path: str
    split: str
    labels: Mapping[str, Label]
    place: str
    part: Slice | None = None


@dataclass
class Listing:
    """The rows of a published data set, collected one by one.

    Args:
        root: the folder of the data set, which no path may leave.
        labels: the columns that every row has.

    Raises:
        DataError: where there is no such folder.
    """

    root: Path
    labels: tuple[str, ...]
    _rows: dict[str, _Row] = field(default_factory=dict, init=False)
    _tally: Tally = field(default_factory=Tally, init=False)
    _folders: dict[Path, frozenset[str]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise DataError(f"{self.root}: no such folder; give the folder of the data set")

    def add(self, path: str, split: str, place: str, labels: Mapping[str, Label]) -> None:
        """One image in a file of its own.

        An image that is absent, whose path leaves the folder, or that was listed before, is
        counted and left out.

        Args:
            path: relative to the root, with forward slashes.
            split: train, val or test.
            place: where it is listed, such as `"labels.csv line 7"`.
            labels: by column; columns beside `self.labels` hold votes or the like.
        """
        if not inside(path):
            self.skip("the path leaves the folder", place)
        elif not self._present(path):
            self.skip("no such image", place)
        else:
            self._add(_Row(path, split, labels, place))

    def add_slice(
        self, name: str, split: str, place: str, labels: Mapping[str, Label], part: Slice
    ) -> None:
        """One image that is a part of a large file; `name` is what it is called."""
        self._add(_Row(name, split, labels, place, part))

    def skip(self, reason: str, place: str) -> None:
        """Counts a row that is no example."""
        self._tally.add(reason, place)

    def examples(self, name: str, split: str | None, needs: Collection[str]) -> Examples:
        """The rows of a split whose labels are known.

        Args:
            name: what errors call the examples.
            split: None takes all.
            needs: the columns that must be known; a label that is unknown in another is "".

        Raises:
            DataError: where no row is left, or a path leaves the folder through a link.
        """
        rows, tally = [], Tally()
        tally.extend(self._tally.result())
        for row in self._rows.values():
            lacking = [label for c in needs if isinstance(label := row.labels.get(c), Unknown)]
            if lacking:
                tally.add(lacking[0].reason, row.place)
            else:
                rows.append(row)
        skipped = tally.result()
        if not rows:
            why = skipped.summary() if skipped else "no image is there"
            raise DataError(f"{name}: no examples; {why}")
        chosen = [row for row in rows if split in (None, row.split)]
        if not chosen:
            raise empty_split(name, str(split), (row.split for row in rows))
        extra = dict.fromkeys(column for row in chosen for column in row.labels)
        columns = {
            column: tuple(_text(row.labels.get(column, "")) for row in chosen)
            for column in dict.fromkeys([*self.labels, *extra])
        }
        columns["split"] = tuple(row.split for row in chosen)
        paths = tuple(row.path for row in chosen)
        parts = tuple(row.part for row in chosen if row.part is not None)
        reader = SliceReader(parts) if parts else locate(self.root, paths, name)
        return Examples(name, paths, columns, reader, reader.version(), skipped)

    def _add(self, row: _Row) -> None:
        if row.path in self._rows:
            self.skip("listed before", row.place)
        else:
            self._rows[row.path] = row

    def _present(self, path: str) -> bool:
        """Whether the image is there; each folder is read once, which is quick on any disk."""
        pure = PurePosixPath(path)
        folder = self.root / pure.parent
        if folder not in self._folders:
            try:
                self._folders[folder] = frozenset(os.listdir(folder))
            except OSError:
                self._folders[folder] = frozenset()
        return pure.name in self._folders[folder]


def label(name: str, text: str, known: Mapping[str, str]) -> Label:
    """The class that a data set's code stands for.

    Args:
        name: of the column, for the reason.
        text: as the data set has it.
        known: class by code.
    """
    found = known.get(text.strip())
    return Unknown(f"{name} {quoted(text.strip())}") if found is None else found


def whole_years(text: str, oldest: int = 130) -> Label:
    """An age in years, such as "31" or "31.0"; unknown where no one can be that old."""
    text = text.strip()
    number = text.removesuffix(".0")
    if number.isascii() and number.isdigit() and len(number) <= 3 and int(number) <= oldest:
        return str(int(number))
    return Unknown(f"age {quoted(text)}")


def check_needs(name: str, needs: object, labels: Collection[str]) -> tuple[str, ...]:
    """The option `needs` of every data set: the columns whose labels must be known.

    Raises:
        DataError: where it is no list of the data set's columns.
    """
    if needs is None:
        return tuple(labels)
    names = [needs] if isinstance(needs, str) else needs
    if not isinstance(names, list | tuple) or not all(isinstance(n, str) for n in names):
        raise DataError(f"{name}: needs is {needs!r}; give a list of {', '.join(labels)}")
    for column in names:
        if column not in labels:
            raise DataError(f"{name}: needs: no column {column!r}{suggest(column, labels)}")
    return tuple(names)


def _text(value: Label) -> str:
    return "" if isinstance(value, Unknown) else value
