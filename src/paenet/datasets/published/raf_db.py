"""RAF-DB: 15 thousand faces with seven basic expressions (Li et al., 2017)."""

from __future__ import annotations

from pathlib import Path

from paenet.datasets.drawing import two_ways
from paenet.datasets.errors import DataError
from paenet.datasets.published.lines import read_lines
from paenet.datasets.published.listing import Listing, label
from paenet.datasets.published.options import one_of

LABELS = ("expression",)
EXPRESSIONS = dict(
    zip("1234567", "surprise fear disgust happy sad anger neutral".split(), strict=True)
)
LIST = "list_patition_label.txt"  # so it is spelt
_LISTS = ("", "EmoLabel/", "basic/EmoLabel/")
_IMAGES = ("", "Image/", "basic/Image/")


def list_raf_db(root: Path, *, images: str = "aligned") -> Listing:
    """`list_patition_label.txt` with lines `train_00001.jpg 5`, and the images that it names.

    The list may lie in the root or in `EmoLabel/`, the images in `aligned/` (as
    `train_00001_aligned.jpg`) and `original/`, in the root or in `Image/`; `basic/` may stand
    before both. The official splits are training and test, told by the name; validation is a
    tenth of the training images, drawn by hash of the name, since nobody knows who is on them.

    Args:
        root: with the list, or with the folders that have it.
        images: `aligned` or `original`.

    Returns:
        Rows with `expression` (surprise, fear, disgust, happy, sad, anger, neutral).

    Raises:
        DataError: where the list is absent.
    """
    one_of("images", images, ("aligned", "original"))
    listing = Listing(root, LABELS)
    file = next((f for folder in _LISTS if (f := root / folder / LIST).is_file()), None)
    if file is None:
        raise DataError(f"{root}: no {LIST} in it; unpack RAF-DB there")
    folder = next((f"{p}{images}" for p in _IMAGES if (root / p / images).is_dir()), images)
    for line in read_lines(file):
        cells = line.text.split()
        part = cells[0].split("_")[0]
        if len(cells) != 2 or part not in ("train", "test"):
            listing.skip("not 'train_00001.jpg 5' or the like", line.place)
            continue
        stem, _, suffix = cells[0].rpartition(".")
        name = f"{stem}_aligned.{suffix}" if images == "aligned" else cells[0]
        labels = {"expression": label("expression", cells[1], EXPRESSIONS)}
        split = two_ways(cells[0]) if part == "train" else "test"
        listing.add(f"{folder}/{name}", split, line.place, labels)
    return listing
