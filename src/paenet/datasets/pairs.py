"""Pairs of faces in folds, as LFW has them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import locate
from paenet.datasets.table import read_csv

_COLUMNS = ("fold", "path_a", "path_b", "same")
_SAME = {"1": True, "0": False, "true": True, "false": False}


@dataclass(frozen=True)
class Pairs:
    """Pairs of images that show one person or two.

    Attributes:
        examples: every distinct image once.
        a, b: `(P,)` rows of `examples`.
        same: `(P,)` bool: one person.
        fold: `(P,)` fold numbers as the file gives them.
    """

    examples: Examples
    a: NDArray[np.int64]
    b: NDArray[np.int64]
    same: NDArray[np.bool_]
    fold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.same)


def read_pairs(path: str | Path) -> Pairs:
    """The pairs of a CSV with the columns `fold, path_a, path_b, same` (1 or 0).

    Raises:
        DataError: as `read_table`; also where a fold or a `same` is not what it should be.
    """
    file = Path(path)
    columns = read_csv(file, needed=_COLUMNS, kind="a pairs file")
    return make_pairs(
        str(file),
        file.parent,
        columns["path_a"],
        columns["path_b"],
        [_same(file, row, text) for row, text in enumerate(columns["same"])],
        [_fold(file, row, text) for row, text in enumerate(columns["fold"])],
    )


def make_pairs(
    name: str,
    folder: Path,
    a: Sequence[str],
    b: Sequence[str],
    same: Sequence[bool],
    fold: Sequence[int],
) -> Pairs:
    """Pairs of images in a folder.

    Args:
        name: of what lists them, for errors.
        folder: that no path may leave.
        a, b: paths, one of each for a pair.
        same, fold: as `Pairs` has them.

    Raises:
        DataError: as `locate`.
    """
    paths = tuple(dict.fromkeys([*a, *b]))
    rows = {path: row for row, path in enumerate(paths)}
    reader = locate(folder, paths, name)
    return Pairs(
        Examples(name, paths, {}, reader, reader.version()),
        np.array([rows[path] for path in a], dtype=np.int64),
        np.array([rows[path] for path in b], dtype=np.int64),
        np.array(same, dtype=np.bool_),
        np.array(fold, dtype=np.int64),
    )


def _same(file: Path, row: int, text: str) -> bool:
    try:
        return _SAME[text.strip().lower()]
    except KeyError:
        raise DataError(f"{file}: pair {row + 1}: same is {text!r}; give 1 or 0") from None


def _fold(file: Path, row: int, text: str) -> int:
    try:
        return int(np.int64(int(text)))
    except (ValueError, OverflowError):
        raise DataError(f"{file}: pair {row + 1}: fold is {text!r}; give a number") from None
