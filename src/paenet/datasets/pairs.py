"""Pairs of faces in folds, as LFW has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import locate
from paenet.datasets.table import read_csv

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
    columns = read_csv(file, needed=("fold", "path_a", "path_b", "same"))
    rows = {
        name: row
        for row, name in enumerate(dict.fromkeys([*columns["path_a"], *columns["path_b"]]))
    }
    paths = tuple(rows)
    reader = locate(file.parent, paths, str(file))
    return Pairs(
        Examples(str(file), paths, {}, reader, reader.version()),
        np.array([rows[name] for name in columns["path_a"]], dtype=np.int64),
        np.array([rows[name] for name in columns["path_b"]], dtype=np.int64),
        np.array([_same(file, row, text) for row, text in enumerate(columns["same"])]),
        np.array([_fold(file, row, text) for row, text in enumerate(columns["fold"])]),
    )


def _same(file: Path, row: int, text: str) -> bool:
    try:
        return _SAME[text.strip().lower()]
    except KeyError:
        raise DataError(f"{file}: pair {row + 1}: same is {text!r}; give 1 or 0") from None


def _fold(file: Path, row: int, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise DataError(f"{file}: pair {row + 1}: fold is {text!r}; give a number") from None
