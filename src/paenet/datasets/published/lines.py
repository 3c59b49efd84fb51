"""Label files as their owners wrote them: line by line, in whatever encoding each line has."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.published.listing import Listing
from paenet.datasets.skipped import quoted
from paenet.errors import suggest

LONGEST = 2**16  # bytes of a line; a longer one is no label
BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Line:
    """One line of a label file.

    Attributes:
        text: without its end.
        number: from 1.
        place: `"labels.csv line 7"`.
    """

    text: str
    number: int
    place: str


@dataclass(frozen=True)
class RawLine:
    """One line of a file as it stands there.

    Attributes:
        data: with its end, without a byte order mark; at most `LONGEST` bytes.
        offset: of its first byte.
        number: from 1.
        place: `"labels.csv line 7"`.
    """

    data: bytes
    offset: int
    number: int
    place: str


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file that are not empty.

    Each line is UTF-8, or else Latin-1, in which any byte is a character: an old file that was
    patched together from several may have both. A byte order mark is left out.

    Raises:
        DataError: where the file cannot be read, or is UTF-16.
    """
    for raw in raw_lines(path):
        if raw.number == 1 and raw.data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise DataError(f"{path}: is UTF-16; save it as UTF-8")
        text = _decoded(raw.data).strip("\r\n")
        if text.strip():
            yield Line(text, raw.number, raw.place)


def raw_lines(path: Path) -> Iterator[RawLine]:
    """The lines of a file as bytes; of a line without end, only its beginning.

    Raises:
        DataError: where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            offset = number = 0
            while data := file.readline(LONGEST):
                number += 1
                mark = BOM if number == 1 and data.startswith(BOM) else b""
                start, offset = offset + len(mark), offset + len(data)
                rest = data
                while len(rest) == LONGEST and not rest.endswith(b"\n"):
                    rest = file.readline(LONGEST)
                    offset += len(rest)
                yield RawLine(data[len(mark) :], start, number, f"{path.name} line {number}")
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
) -> Iterator[tuple[dict[str, str], Line]]:
    """The rows of a label file with a header.

    Column names and cells are taken without blanks around them, names in small letters. A row
    that has too few or too many cells, or is no CSV, is counted in `listing` and left out; it
    never spoils the next one.

    Args:
        needed: column names that the header must have, in small letters.
        delimiter: a tab means that quotes have no meaning.
        usual: the columns of a file that comes without a header in some releases.

    Yields:
        Cells by column name, and the line, whose place is for `Listing.add`.

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
    check_header(path, header, needed)
    for line in lines:
        cells = split_cells(line.text, delimiter)
        if cells is None:
            listing.skip("the line is not CSV", line.place)
        elif len(cells) != len(header):
            listing.skip(f"{len(cells)} cells, not {len(header)}", line.place)
        else:
            yield dict(zip(header, cells, strict=True)), line


def check_header(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    """Refuses a file whose first line does not name the needed columns.

    Raises:
        DataError: names the file and the column, and offers the nearest one.
    """
    for name in needed:
        if header.count(name) != 1:
            problem = "two columns" if name in header else "no column"
            known = [quoted(column)[1:-1] for column in header[:20]]
            raise DataError(f"{path}: {problem} {name!r} in its first line{suggest(name, known)}")


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
