"""Examples: which images there are and what is known of them, none of them decoded yet."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from paenet.datasets.errors import DataError
from paenet.datasets.skipped import Skipped, merge

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Examples:
    """The rows of one split.

    Attributes:
        name: what errors call them: the table's path, or "synthetic faces".
        paths: one name for each image, as the source gives it.
        columns: label strings by column, each column as long as `paths`; "" where unknown.
        read: the image of a row, RGB `(height, width, 3)`; raises `DataError`, which names the
            path, where it cannot be read. Safe to call from several threads and forked processes.
        version: changes when the pixels of any image could have changed.
        skipped: what the source has besides, and why it is left out.
    """

    name: str
    paths: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    read: Callable[[int], Pixels]
    version: str
    skipped: Skipped = field(default_factory=Skipped)

    def __post_init__(self) -> None:
        for name, values in self.columns.items():
            if len(values) != len(self.paths):
                raise DataError(
                    f"{self.name}: column {name!r} has {len(values)} values "
                    f"for {len(self.paths)} images"
                )

    def __len__(self) -> int:
        return len(self.paths)

    def select(self, rows: Sequence[int] | NDArray[np.integer]) -> Examples:
        """Some of the rows, in the given order; the same row may come twice."""
        chosen = [int(row) for row in rows]
        return Examples(
            self.name,
            tuple(self.paths[row] for row in chosen),
            {name: tuple(values[row] for row in chosen) for name, values in self.columns.items()},
            _Selected(self.read, tuple(chosen)),
            version_of(self.version, chosen),
            self.skipped,
        )

    def rename(self, columns: Mapping[str, str]) -> Examples:
        """The same rows with some columns under a new name.

        Args:
            columns: new name by old name.

        Raises:
            DataError: where there is no such column, or two columns would share a name.
        """
        for old in columns:
            if old not in self.columns:
                raise DataError(
                    f"{self.name}: no column {old!r} to rename; "
                    f"it has {', '.join(self.columns) or 'none'}"
                )
        names = [columns.get(name, name) for name in self.columns]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise DataError(f"{self.name}: after renaming, two columns are called {twice[0]!r}")
        return replace(self, columns=dict(zip(names, self.columns.values(), strict=True)))


def join(parts: Sequence[Examples]) -> Examples:
    """The rows of several sources, one after the other.

    Columns are the union; a row has "" in a column that its source lacks.

    Args:
        parts: at least one.
    """
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    return Examples(
        " + ".join(part.name for part in parts),
        tuple(path for part in parts for path in part.paths),
        {
            name: tuple(
                value for part in parts for value in part.columns.get(name, ("",) * len(part))
            )
            for name in names
        },
        _Joined(tuple(part.read for part in parts), tuple(accumulate(map(len, parts)))),
        version_of(*(part.version for part in parts)),
        merge(part.skipped for part in parts),
    )


def version_of(*facts: object) -> str:
    """A hash of JSON-able facts, for `Examples.version`."""
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


# Classes, not closures: readers may have to travel to another process.


@dataclass(frozen=True)
class _Selected:
    read: Callable[[int], Pixels]
    rows: tuple[int, ...]

    def __call__(self, row: int) -> Pixels:
        return self.read(self.rows[row])


@dataclass(frozen=True)
class _Joined:
    reads: tuple[Callable[[int], Pixels], ...]
    ends: tuple[int, ...]

    def __call__(self, row: int) -> Pixels:
        part = bisect_right(self.ends, row)
        return self.reads[part](row - (self.ends[part - 1] if part else 0))
