"""A table of examples: a CSV with a path, labels and a split."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples
from paenet.datasets.locating import locate
from paenet.errors import suggest


def read_table(path: str | Path, split: str | None = None) -> Examples:
    """The examples of a table.

    A table is a CSV in UTF-8 with a header: `path`, any label columns and `split`. A path is
    relative to the table; a component that ends in .tar or .zip is an archive to look into.

    Args:
        path: of the CSV.
        split: rows whose `split` is this; None takes all rows and needs no such column.

    Raises:
        DataError: names the table and what is wrong with it: it is absent, is no UTF-8 CSV, lacks
            a column, has one twice, has no such split, a path leaves its folder, or an archive is
            absent.
    """
    table = Path(path)
    columns = read_csv(table, needed=("path",) if split is None else ("path", "split"))
    if split is not None:
        rows = [row for row, value in enumerate(columns["split"]) if value == split]
        if not rows:
            raise empty_split(str(table), split, columns["split"])
        columns = {name: tuple(values[row] for row in rows) for name, values in columns.items()}
    paths = columns.pop("path")
    reader = locate(table.parent, paths, str(table))
    return Examples(str(table), paths, columns, reader, reader.version())


def table_splits(path: str | Path) -> tuple[str, ...]:
    """The names of a table's splits, in order of first appearance.

    Raises:
        DataError: as `read_table`.
    """
    return tuple(dict.fromkeys(read_csv(Path(path), needed=("split",))["split"]))


class EmptySplit(DataError):
    """A data set has no examples in a split."""


def empty_split(name: str, split: str, known: Iterable[str]) -> EmptySplit:
    """The error for a split without examples; `known` are the splits that exist."""
    return EmptySplit(f"{name}: no examples in split {split!r}{suggest(split, set(known))}")


def read_csv(path: Path, needed: Sequence[str], kind: str = "") -> dict[str, tuple[str, ...]]:
    """The columns of a CSV in UTF-8, at least one row long.

    Args:
        path: of the file.
        needed: columns that it must have.
        kind: what has them all, for an error to say.

    Raises:
        DataError: names the file, and the column or line that is wrong.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: byte {error.start} is not UTF-8; save the table in UTF-8"
        ) from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}; check the path") from None
    # strict: a stray quote is an error, not a cell that swallows the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        _check_header(path, header, needed, kind)
        rows = []
        for row in reader:
            if len(row) != len(header) and row:
                raise DataError(
                    f"{path}: line {reader.line_num} has {len(row)} cells, the header {len(header)}"
                )
            if row:
                rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is not CSV: {error}") from None
    if not rows:
        raise DataError(f"{path}: a header and no rows")
    return dict(zip(header, zip(*rows, strict=True), strict=True))


def _check_header(path: Path, header: Sequence[str], needed: Sequence[str], kind: str) -> None:
    if not header:
        raise DataError(f"{path}: empty; its first line must name the columns")
    twice = [name for name, count in Counter(header).items() if count > 1]
    if twice:
        raise DataError(f"{path}: column {twice[0]!r} stands there twice; rename one")
    for name in needed:
        if name not in header:
            mend = f"; {kind} has {', '.join(needed)}" if kind else ""
            raise DataError(f"{path}: no column {name!r}{suggest(name, header)}{mend}")
