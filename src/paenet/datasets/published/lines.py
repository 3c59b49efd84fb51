"""Label files as their owners wrote them: line by line, in whatever encoding each line has."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.published.listing import Listing
from paenet.errors import suggest

LONGEST = 2**16  # bytes of a line; a longer one is no label


@dataclass(frozen=True)
class Line:
    """One line of a label file.

    Attributes:
        text: without its end.
        place: `"labels.csv line 7"`.
    """

    text: str
    place: str


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that are not empty.

    Each line is UTF-8, or else Latin-1, in which any byte is a character: an old file that was
    patched together from several may have both. A byte order mark is left out.

    Raises:
        DataError: where the file cannot be read, or is UTF-16.
    """
    try:
        with path.open("rb") as file:
            number = 0
            while raw := file.readline(LONGEST):
                number += 1
                if number == 1:
                    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                        raise DataError(f"{path}: is UTF-16; save it as UTF-8")
                    raw = raw.removeprefix(b"\xef\xbb\xbf")
                text = _decoded(raw).strip("\r\n")
                if text.strip():
                    yield Line(text, f"{path.name} line {number}")
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror or error}; put the data set's label file there"
        ) from None


def read_rows(
    path: Path,
    listing: Listing,
    needed: Sequence[str],
    delimiter: str = ",",
    usual: Sequence[str] = (),
) -> Iterator[tuple[dict[str, str], str]]:
    """The rows of a label file with a header.

    Column names and cells are taken without blanks around them, names in small letters. A row
    that has too few or too many cells, or is no CSV, is counted in `listing` and left out; it
    never spoils the next one.

    Args:
        needed: column names that the header must have, in small letters.
        delimiter: a tab means that quotes have no meaning.
        usual: the columns of a file that comes without a header in some releases.

    Yields:
        Cells by column name, and the place for `Listing.add`.

    Raises:
        DataError: where the file cannot be read, is empty or lacks a needed column.
    """
    lines = read_lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: empty; its first line must name the columns")
    header = [cell.lower() for cell in split_cells(first.text, delimiter) or ()]
    if len(header) == len(usual) and needed[0] not in header:
        header, lines = list(usual), chain([first], lines)
    for name in needed:
        if header.count(name) != 1:
            problem = "two columns" if name in header else "no column"
            raise DataError(f"{path}: {problem} {name!r} in its first line{suggest(name, header)}")
    for line in lines:
        cells = split_cells(line.text, delimiter)
        if cells is None:
            listing.skip("the line is not CSV", line.place)
        elif len(cells) != len(header):
            listing.skip(f"{len(cells)} cells, not {len(header)}", line.place)
        else:
            yield dict(zip(header, cells, strict=True)), line.place


def split_cells(text: str, delimiter: str = ",") -> list[str] | None:
    """The cells of one line without blanks around them; None where it is no CSV."""
    if delimiter == "\t":
        return [cell.strip() for cell in text.split("\t")]
    try:
        row = next(csv.reader([text], skipinitialspace=True, strict=True))
    except (csv.Error, StopIteration):
        return None
    return [cell.strip() for cell in row]


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
