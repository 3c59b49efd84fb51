"""UTKFace: 24 thousand faces with age, gender and race in the file names (Zhang et al., 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from paenet.datasets.drawing import three_ways
from paenet.datasets.published.contents import Contents
from paenet.datasets.published.listing import Label, Listing, Unknown, label, whole_years
from paenet.datasets.published.walking import images, subfolders

LABELS = ("age", "gender", "race")
GENDERS = {"0": "male", "1": "female"}
RACES = {"0": "white", "1": "black", "2": "asian", "3": "indian", "4": "other"}
_DEPTH = 3  # of folders, such as utkface_aligned_cropped/UTKFace


def list_utkface(root: Path) -> Listing:
    """Images called `[age]_[gender]_[race]_[date&time].jpg`, cropped ones with `.chip.jpg` behind.

    They may lie in the root or in folders (`UTKFace`, `part1` …). Some releases hold the same
    images in several folders: a photograph is taken once, where it comes first, cropped or not.
    Some hold one image under several ages (`28_0_0_….jpg` and `35_0_0_….jpg`, the same bytes):
    which is right nobody knows, and the first by name is taken, so that it is in one split.
    A few names are known to lack race or gender; they serve where those are not needed
    (`needs: [age]`).

    There are no official splits, and nobody knows who is on the images: eight, one and one tenth
    are drawn by hash of age, gender, race and time, which are the same for the cropped face and
    the photograph.

    Returns:
        Rows with `age` in years, `gender` (male, female) and `race` (white, black, asian, indian,
        other; for reports by group).

    Raises:
        DataError: where there is no such folder.
    """
    listing = Listing(root, LABELS)
    seen: set[str] = set()
    contents = Contents(root)
    for path in _walk(listing, "", _DEPTH):
        name = path.rsplit("/", 1)[-1].split(".", 1)[0]
        labels = _labels(name)
        if labels is None:
            listing.skip("the name is no age_gender_race_time", path)
        elif name in seen:
            listing.skip("another copy of an image", path)
        elif contents.seen(path):
            seen.add(name)  # or the photograph that it was cropped from would count
            listing.skip("the same image under another name", path)
        else:
            seen.add(name)
            listing.add(path, three_ways(name), path, labels)
    return listing


def _walk(listing: Listing, folder: str, depth: int) -> Iterator[str]:
    yield from images(listing, folder)
    if depth:
        for name in subfolders(listing.root / folder):
            yield from _walk(listing, f"{folder}/{name}" if folder else name, depth - 1)


def _labels(name: str) -> dict[str, Label] | None:
    parts = name.split("_")
    if not 3 <= len(parts) <= 4 or not (parts[-1].isascii() and parts[-1].isdigit()):
        return None
    if len(parts) == 3 and len(parts[2]) < 8:  # a race, not a time
        return None
    race = Unknown("no race in the name") if len(parts) == 3 else label("race", parts[2], RACES)
    return {
        "age": whole_years(parts[0]),
        "gender": label("gender", parts[1], GENDERS),
        "race": race,
    }
