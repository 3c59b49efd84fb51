"""Adience: unfiltered faces for age and gender, in five folds (Eidinger et al., 2014)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.drawing import two_ways
from paenet.datasets.published.lines import read_rows
from paenet.datasets.published.listing import Listing, label
from paenet.datasets.published.options import one_of

LABELS = ("identity", "age", "gender")
FOLDS = range(5)
# The eight ages as the label files write them, and the groups that they stand for.
AGES = {
    "(0, 2)": "0-2",
    "(4, 6)": "4-6",
    "(8, 12)": "8-13",
    "(15, 20)": "15-20",
    "(25, 32)": "25-32",
    "(38, 43)": "38-43",
    "(48, 53)": "48-53",
    "(60, 100)": "60+",
}
GENDERS = {"m": "male", "f": "female"}
# Folder of an image set, and how a file in it begins.
IMAGES = {
    "faces": ("faces", "coarse_tilt_aligned_face"),
    "aligned": ("aligned", "landmark_aligned_face"),
}


def list_adience(root: Path, *, fold: int = 0, images: str = "faces") -> Listing:
    """The five label files `fold_0_data.txt` … `fold_4_data.txt` and the images that they name.

    The official protocol tests each fold in turn and learns from the other four; nobody is in two
    folds. It has no validation split. Here a tenth of the people in the other four folds is drawn
    for it, by hash of their number: as much as Levi & Hassner (2015) set aside, but people that
    are not trained on, where they drew images. A whole fold would cost a quarter of the training
    data that published figures had. A few people have most of the images of the youngest, so that
    validation may have few of those.

    Ages follow Levi & Hassner's code (GilLevi/AgeGenderDeepLearning): a label counts if it is
    exactly one of the eight that stand for the eight groups, `(8, 12)` for 8-13; any other is
    unknown, be it a single year ("13", "35"), another range ("(27, 32)", "(38, 48)") or "None".
    Gender is "m" or "f"; "u" and nothing are unknown. Their age figures are of all images whose
    age is known, whatever the gender, and the other way round: `needs: [age]`, `needs: [gender]`.

    Args:
        root: with the label files and the folder `faces` or `aligned`.
        fold: the fold that is tested, 0 to 4.
        images: `faces`, coarsely aligned, or `aligned` by landmarks, as Levi & Hassner took them.

    Returns:
        Rows with `identity` (the number of a person), `age` (one of the eight groups) and
        `gender` (male, female).

    Raises:
        DataError: where a label file is absent or lacks a column, or an option is out of range.
    """
    one_of("fold", fold, FOLDS)
    one_of("images", images, tuple(IMAGES))
    folder, prefix = IMAGES[images]
    listing = Listing(root, LABELS)
    for number in FOLDS:
        file = root / f"fold_{number}_data.txt"
        needed = ("user_id", "original_image", "face_id", "age", "gender")
        for row, line in read_rows(file, listing, needed, delimiter="\t"):
            person = row["face_id"]
            labels = {
                "identity": person,
                "age": label("age", row["age"], AGES),
                "gender": label("gender", row["gender"], GENDERS),
            }
            path = f"{folder}/{row['user_id']}/{prefix}.{person}.{row['original_image']}"
            listing.add(path, "test" if number == fold else two_ways(person), line.place, labels)
    return listing
