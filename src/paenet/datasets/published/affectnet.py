"""AffectNet: faces with expressions, valence and arousal (Mollahosseini et al., 2019)."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from paenet.datasets.drawing import two_ways
from paenet.datasets.errors import DataError
from paenet.datasets.published.lines import read_rows
from paenet.datasets.published.listing import Label, Listing, Unknown
from paenet.datasets.published.walking import images
from paenet.datasets.skipped import quoted

LABELS = ("expression",)
EXPRESSIONS = dict(enumerate("neutral happy sad surprise fear disgust anger".split()))
OTHERS = dict(enumerate("contempt none uncertain no-face".split(), start=7))
COLUMNS = (
    *("subdirectory_filepath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
_LISTS = ("", "Manually_Annotated_file_lists/")
_IMAGES = (
    *("Manually_Annotated_Images/", "Manually_Annotated/Manually_Annotated_Images/"),
    "Manually_Annotated/",
)
_LONGEST = 4096  # bytes of an annotation file


def list_affectnet(root: Path) -> Listing:
    """Either layout: the first, of lists, or the later one, of a file for each annotation.

    Lists: `training.csv` and `validation.csv` (in the root or in
    `Manually_Annotated_file_lists/`), whose `subDirectory_filePath` is relative to
    `Manually_Annotated_Images/` or to the root. Files: `train_set/images/0.jpg` with
    `train_set/annotations/0_exp.npy`, and `val_set/`.

    The official test split was never published, and figures in the literature are of the
    validation split: it is test here. Validation is a tenth of the training images, drawn by hash
    of the path, since nobody knows who is on them.

    Expressions are the seven that most of the literature compares; contempt, none, uncertain and
    no-face are counted and left out. Images are read whole: those of the lists are photographs,
    of which the columns `face_x` … `face_height` give the face.

    Returns:
        Rows with `expression`; with lists also `valence` and `arousal` (-1 to 1, or "").

    Raises:
        DataError: where neither layout is there, or a label file is no such CSV.
    """
    listing = Listing(root, LABELS)
    lists = next((folder for folder in _LISTS if (root / folder / "training.csv").is_file()), None)
    if lists is not None:
        _read_lists(listing, lists)
    elif (root / "train_set").is_dir() or (root / "val_set").is_dir():
        _read_files(listing)
    else:
        raise DataError(
            f"{root}: neither training.csv nor train_set/ in it; unpack AffectNet there"
        )
    return listing


def _read_lists(listing: Listing, lists: str) -> None:
    root = listing.root
    folder = next((folder for folder in _IMAGES if (root / folder).is_dir()), "")
    for part in ("training", "validation"):
        file = root / lists / f"{part}.csv"
        needed = ("subdirectory_filepath", "expression", "valence", "arousal")
        for row, line in read_rows(file, listing, needed, usual=COLUMNS):
            listed = row["subdirectory_filepath"]
            path = f"{folder}{listed}"
            labels = {
                "expression": _expression(row["expression"]),
                "valence": _share(row["valence"]),
                "arousal": _share(row["arousal"]),
            }
            # By the list's own name: wherever the archive lies, the same rows are for validation.
            listing.add(path, _split(part == "training", listed), line.place, labels)


def _read_files(listing: Listing) -> None:
    for part in ("train_set", "val_set"):
        if not (listing.root / part / "images").is_dir():
            continue
        for path in images(listing, f"{part}/images"):
            number = Path(path).stem
            file = listing.root / part / "annotations" / f"{number}_exp.npy"
            labels = {"expression": _annotation(file)}
            listing.add(path, _split(part == "train_set", path), path, labels)


def _annotation(file: Path) -> Label:
    """The one value of an .npy file; text or a number, as releases differ."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_LONGEST)
        value = np.load(io.BytesIO(data), allow_pickle=False)
        return _expression(str(value.item()))
    except OSError:
        return Unknown("no annotation file")
    # Broken bytes raise nearly anything: ValueError, EOFError, SyntaxError, MemoryError, ...
    except Exception:
        return Unknown("a broken annotation file")


def _expression(text: str) -> Label:
    number = text.strip().removesuffix(".0")
    if not (number.isascii() and number.isdigit() and len(number) <= 2):
        return Unknown(f"expression {quoted(text.strip())}")
    code = int(number)
    if code in EXPRESSIONS:
        return EXPRESSIONS[code]
    return Unknown(f"expression {OTHERS.get(code, code)}")


def _share(text: str) -> Label:
    """Valence or arousal; -2 stands for none."""
    try:
        value = float(text)
    except ValueError:
        value = -2.0
    return f"{value:g}" if -1 <= value <= 1 else Unknown("no such number")


def _split(training: bool, path: str) -> str:
    return two_ways(path) if training else "test"
