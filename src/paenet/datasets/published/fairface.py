"""FairFace: 97 thousand faces balanced over seven races (Kärkkäinen & Joo, 2021)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.drawing import two_ways
from paenet.datasets.published.lines import read_rows
from paenet.datasets.published.listing import Listing, label

LABELS = ("age", "gender", "race")
AGES = {
    age: age for age in ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69")
} | {"more than 70": "70+"}
GENDERS = {"Male": "male", "Female": "female"}
RACES = {
    race: race
    for race in (
        *("Black", "East Asian", "Indian", "Latino_Hispanic"),
        *("Middle Eastern", "Southeast Asian", "White"),
    )
}


def list_fairface(root: Path) -> Listing:
    """`fairface_label_train.csv` and `…_val.csv`, whose `file` is relative to the root.

    The published splits are training and validation, and figures in the literature are of the
    latter: it is test here. Validation is a tenth of the training images, drawn by hash of the
    path, since nobody knows who is on them.

    Returns:
        Rows with `age` (0-2, 3-9, 10-19 … 60-69, 70+), `gender` (male, female) and `race`.

    Raises:
        DataError: where a label file is absent or lacks a column.
    """
    listing = Listing(root, LABELS)
    for part in ("train", "val"):
        file = root / f"fairface_label_{part}.csv"
        for row, line in read_rows(file, listing, ("file", "age", "gender", "race")):
            labels = {
                "age": label("age", row["age"], AGES),
                "gender": label("gender", row["gender"], GENDERS),
                "race": label("race", row["race"], RACES),
            }
            split = two_ways(row["file"]) if part == "train" else "test"
            listing.add(row["file"], split, line.place, labels)
    return listing
