"""FER2013: 36 thousand faces with expressions (Goodfellow et al., 2013), and the votes of FER+."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Pixels
from paenet.datasets.published.lines import check_header, raw_lines, read_rows
from paenet.datasets.published.listing import Label, Listing, Unknown, label
from paenet.datasets.published.options import one_of
from paenet.datasets.published.slices import Slice
from paenet.datasets.skipped import quoted

LABELS = ("expression",)
SIDE = 48
EXPRESSIONS = dict(
    zip("0123456", "anger disgust fear happy sad surprise neutral".split(), strict=True)
)
SPLITS = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
# FER+'s columns, and our classes; the last three are no expression that FER2013 has.
VOTES = {
    **{"neutral": "neutral", "happiness": "happy", "surprise": "surprise", "sadness": "sad"},
    **{"anger": "anger", "disgust": "disgust", "fear": "fear"},
    **{"contempt": "contempt", "unknown": "unknown", "nf": "no face"},
}
_COLUMNS = ("emotion", "pixels", "usage")


def list_fer2013(root: Path, *, labels: str = "fer2013") -> Listing:
    """`fer2013.csv` (emotion, pixels, Usage), and FER+'s `fer2013new.csv` beside it where wanted.

    The splits are the challenge's: Training, PublicTest (val) and PrivateTest (test).

    With FER+ (Barsoum et al., 2016) ten people have labelled each image. As its code does it in
    its mode "majority", a single vote for a class is taken for a slip, and the label is the class
    with more than half of the votes that are left. Rows without one, contempt, unknown, images
    without a face and those that FER+ has removed are counted and left out.

    Args:
        root: with the files.
        labels: `fer2013`; `majority`, of FER+'s votes; or `votes`, which adds their number in a
            column `expression:CLASS` for each class: soft labels.

    Returns:
        Rows with `expression` (anger, disgust, fear, happy, sad, surprise, neutral).

    Raises:
        DataError: where a file is absent or lacks a column.
    """
    one_of("labels", labels, ("fer2013", "majority", "votes"))
    listing = Listing(root, LABELS)
    file = root / "fer2013.csv"
    # By number of the row in fer2013.csv, which FER+'s file follows row by row.
    votes = None if labels == "fer2013" else dict(_votes(root / "fer2013new.csv", listing))
    for index, cells, offset, place in _rows(file, listing):
        pixels = cells["pixels"]
        emotion, usage = (
            cells[name].decode("latin-1").strip('" \r\n') for name in ("emotion", "usage")
        )
        split = SPLITS.get(usage)
        if split is None:
            listing.skip(f"usage {quoted(usage)}", place)
            continue
        if pixels.strip().count(b" ") != SIDE * SIDE - 1:
            listing.skip(f"not {SIDE * SIDE} pixels", place)
            continue
        row: dict[str, Label] = {"expression": label("expression", emotion, EXPRESSIONS)}
        if votes is not None:
            counts = votes.get(index, {})
            row["expression"] = _majority(counts)
            if labels == "votes":
                kept = EXPRESSIONS.values()
                row |= {f"expression:{name}": str(counts.get(name, 0)) for name in kept}
        part = Slice(file, offset, len(pixels), pixels_of_text, f"{file} row {index + 1}")
        listing.add_slice(f"fer{index:07d}", split, place, row, part)
    return listing


def pixels_of_text(data: bytes, name: str) -> Pixels:
    """2304 numbers, 0 to 255, row by row, as a grey image: `(48, 48, 3)`.

    Raises:
        DataError: where they are no such numbers.
    """
    try:
        numbers = [int(text) for text in data.strip(b'" \r\n').split()]
        grey = np.array(numbers, dtype=np.int64).reshape(SIDE, SIDE)
    except (ValueError, OverflowError):
        grey = np.full((1, 1), -1)
    if grey.min() < 0 or grey.max() > 255:
        raise DataError(f"{name}: not {SIDE * SIDE} numbers from 0 to 255")
    return np.repeat(grey.astype(np.uint8)[:, :, None], 3, axis=2)


def _rows(file: Path, listing: Listing) -> Iterator[tuple[int, dict[str, bytes], int, str]]:
    """Number and cells by column of each row, and where in the file its pixels begin."""
    lines = raw_lines(file)
    first = next(lines, None)
    header = b"" if first is None else first.data
    names = [cell.strip().strip('"').lower() for cell in header.decode("latin-1").split(",")]
    check_header(file, names, _COLUMNS)
    for line in lines:
        cells = line.data.split(b",")
        if len(cells) == len(names):
            before = sum(len(cell) + 1 for cell in cells[: names.index("pixels")])
            row = dict(zip(names, cells, strict=True))
            yield line.number - 2, row, line.offset + before, line.place
        elif line.data.strip():
            listing.skip(f"{len(cells)} cells, not {len(names)}", line.place)


def _votes(file: Path, listing: Listing) -> Iterator[tuple[int, dict[str, int]]]:
    """The votes for each class by number of the row; none where FER+ has removed the image."""
    for row, line in read_rows(file, listing, ("usage", "image name", *VOTES)):
        counts = {VOTES[name]: row[name] for name in VOTES}
        if not all(text.isascii() and text.isdigit() and len(text) < 4 for text in counts.values()):
            listing.skip("votes that are no numbers", line.place)
        elif row["image name"]:
            yield (
                line.number - 2,
                {name: n for name, text in counts.items() if (n := int(text)) > 1},
            )


def _majority(counts: dict[str, int]) -> Label:
    if not counts:
        return Unknown("no votes")
    name = max(counts, key=lambda key: counts[key])
    if 2 * counts[name] <= sum(counts.values()):
        return Unknown("no majority")
    return name if name in EXPRESSIONS.values() else Unknown(f"majority for {name}")
