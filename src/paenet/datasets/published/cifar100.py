"""CIFAR-100: 60 thousand small pictures of a hundred things in twenty groups (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from paenet.datasets.drawing import two_ways
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Pixels
from paenet.datasets.published.lines import read_lines
from paenet.datasets.published.listing import Label, Listing, Unknown
from paenet.datasets.published.options import one_of
from paenet.datasets.published.slices import Slice

LABELS = ("coarse", "fine")
SIDE = 32
_RECORD = 2 + 3 * SIDE * SIDE
_COUNTS = {"coarse": 20, "fine": 100}


def list_cifar100(root: Path, *, coarse: str | None = None) -> Listing:
    """The binary version: `train.bin`, `test.bin` and the names of the classes in text files.

    A record is a byte of the coarse label, a byte of the fine one, and 32 × 32 pixels, first all
    of red, then green, then blue. The official splits are training and test; validation is a
    tenth of the training images, drawn by hash of the record's number.

    Args:
        root: with the files, or with `cifar-100-binary/`.
        coarse: take only this group of five classes, such as `fish`: one of the twenty tasks that
            continual learning makes of the set.

    Returns:
        Rows with `coarse` and `fine`, by name.

    Raises:
        DataError: where a file is absent, or there is no such group.
    """
    listing = Listing(root, LABELS)
    folder = root / "cifar-100-binary"
    folder = folder if folder.is_dir() else root
    names = {kind: _names(folder / f"{kind}_label_names.txt", kind) for kind in LABELS}
    if coarse is not None:
        one_of("coarse", coarse, names["coarse"])
    for part in ("train", "test"):
        file = folder / f"{part}.bin"
        for index, pair in enumerate(_labels(file, listing)):
            name = f"{file.name}/{index:05d}"
            labels = {
                kind: _name(kind, code, names[kind])
                for kind, code in zip(LABELS, pair, strict=True)
            }
            if coarse in (None, labels["coarse"]):
                split = two_ways(name) if part == "train" else "test"
                where = f"{file} record {index + 1}"
                part_ = Slice(file, index * _RECORD + 2, _RECORD - 2, pixels_of_record, where)
                listing.add_slice(name, split, f"{file.name} record {index + 1}", labels, part_)
    return listing


def pixels_of_record(data: bytes, name: str) -> Pixels:
    """3072 bytes, colour by colour, as an image: `(32, 32, 3)`."""
    return np.frombuffer(data, np.uint8).reshape(3, SIDE, SIDE).transpose(1, 2, 0).copy()


def _labels(file: Path, listing: Listing) -> list[list[int]]:
    """Coarse and fine label of each whole record."""
    try:
        size = file.stat().st_size
        count, rest = divmod(size, _RECORD)
        if rest:
            listing.skip("the file ends in the middle of it", f"{file.name} record {count + 1}")
        if not count:
            return []
        records = np.memmap(file, np.uint8, "r", shape=(count, _RECORD))
        return records[:, :2].tolist()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}; put CIFAR-100's there") from None


def _names(file: Path, kind: str) -> list[str]:
    names = [line.text.strip() for line in read_lines(file)]
    if len(names) != _COUNTS[kind]:
        raise DataError(f"{file}: {len(names)} names; CIFAR-100 has {_COUNTS[kind]} {kind} ones")
    return names


def _name(kind: str, code: int, names: list[str]) -> Label:
    return names[code] if code < len(names) else Unknown(f"{kind} {code}")
