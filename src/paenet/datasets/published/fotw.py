"""Faces of the World, smile and gender (ChaLearn Looking at People 2016; Escalera et al., 2016)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.errors import DataError
from paenet.datasets.published.lines import read_rows
from paenet.datasets.published.listing import Listing, label

LABELS = ("gender", "smile")
GENDERS = {"0": "male", "1": "female"}
SMILES = {"0": "not smiling", "1": "smiling"}
# Folder and label file of each split, as the challenge's archives unpack.
FILES = {
    "train": ("smiles_trset", "gender_fex_trset.csv"),
    "val": ("smiles_valset", "gender_fex_valset.csv"),
    "test": ("track3_all", "test_gt.csv"),
}


def list_fotw(root: Path) -> Listing:
    """The challenge's three folders, each with its images and a label file.

    `smiles_trset/gender_fex_trset.csv`, `smiles_valset/gender_fex_valset.csv` and
    `track3_all/test_gt.csv` have the columns `image_name`, `bbox_x`, `bbox_y`, `bbox_width`,
    `bbox_height`, `Gender` (0 male, 1 female, 2 not sure) and `Smile` (0 no, 1 yes, 2 not sure);
    blanks stand after their commas. A label file may also stand in the root. The splits are the
    challenge's own; a folder that is absent is a split that is not there. Images are read whole.

    Returns:
        Rows with `gender` (male, female) and `smile` (smiling, not smiling).

    Raises:
        DataError: where none of the label files is there, or one lacks a column.
    """
    listing = Listing(root, LABELS)
    found = False
    for split, (folder, name) in FILES.items():
        file = next((f for f in (root / folder / name, root / name) if f.is_file()), None)
        if file is None:
            continue
        found = True
        for row, line in read_rows(file, listing, ("image_name", "gender", "smile")):
            labels = {
                "gender": label("gender", row["gender"], GENDERS),
                "smile": label("smile", row["smile"], SMILES),
            }
            listing.add(f"{folder}/{row['image_name']}", split, line.place, labels)
    if not found:
        wanted = ", ".join(f"{folder}/{name}" for folder, name in FILES.values())
        raise DataError(f"{root}: none of {wanted}; unpack the challenge's archives there")
    return listing
