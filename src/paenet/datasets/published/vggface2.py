"""VGGFace2: 3.3 million faces of 9131 people (Cao et al., 2018)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.drawing import two_ways
from paenet.datasets.errors import DataError
from paenet.datasets.published.lines import read_rows
from paenet.datasets.published.listing import Label, Listing, Unknown
from paenet.datasets.published.options import yes_or_no
from paenet.datasets.published.walking import images, subfolders

LABELS = ("identity",)
_POINTS = [f"p{point}{axis}" for point in range(1, 6) for axis in "xy"]


def list_vggface2(root: Path, *, landmarks: bool = False) -> Listing:
    """Folders of people: `train/n000002/0001_01.jpg`, `test/n000001/0001_01.jpg`.

    Nobody is in both folders. There is no official validation split: of the people in `train`, a
    tenth is drawn by hash of the identity, so that nobody is in two splits either. An example is
    `identity`, the folder's name.

    Args:
        root: with the folders `train`, `test`, or one of them.
        landmarks: also read `bb_landmark/loose_landmark_train.csv` and `…_test.csv`; the column
            `landmarks` then has ten numbers, x and y in pixels of eyes, nose and corners of the
            mouth, or "" where an image has none.

    Raises:
        DataError: where neither folder is there, or a landmark file is absent or no such CSV.
    """
    yes_or_no("landmarks", landmarks)
    listing = Listing(root, LABELS)
    given = [part for part in ("train", "test") if (root / part).is_dir()]
    if not given:
        raise DataError(f"{root}: neither train/ nor test/ in it; unpack VGGFace2 there")
    for part in given:
        points = _points(root, part, listing) if landmarks else {}
        for person in subfolders(root / part):
            split = two_ways(person) if part == "train" else "test"
            labels: dict[str, Label] = {"identity": person}
            for path in images(listing, f"{part}/{person}"):
                if landmarks:
                    name = path.removeprefix(f"{part}/").rsplit(".", 1)[0]
                    found = points.get(name, Unknown("no landmarks"))
                    labels = {"identity": person, "landmarks": found}
                listing.add(path, split, path, labels)
    return listing


def _points(root: Path, part: str, listing: Listing) -> dict[str, str]:
    """The landmarks of each image by `n000002/0001_01`."""
    found = {}
    file = root / "bb_landmark" / f"loose_landmark_{part}.csv"
    for row, line in read_rows(file, listing, ["name_id", *_POINTS]):
        numbers = [row[name] for name in _POINTS]
        if all(_is_number(text) for text in numbers):
            found[row["name_id"]] = " ".join(numbers)
        else:
            listing.skip("landmarks that are no numbers", line.place)
    return found


def _is_number(text: str) -> bool:
    sign = text.removeprefix("-").replace(".", "", 1)
    return sign.isascii() and sign.isdigit() and len(sign) < 20
