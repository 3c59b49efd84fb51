"""IMDb-Wiki: half a million faces of celebrities with their ages (Rothe et al., 2018)."""

from __future__ import annotations

import math
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from paenet.datasets.drawing import three_ways
from paenet.datasets.errors import DataError
from paenet.datasets.locating import stamp
from paenet.datasets.published.listing import Label, Listing, Unknown
from paenet.datasets.published.options import number, one_of, yes_or_no
from paenet.datasets.skipped import quoted

LABELS = ("identity", "age", "gender")
PARTS = ("imdb", "wiki")
_FIELDS = "dob photo_taken full_path gender name face_score second_face_score".split()
_YEAR_ZERO = 366  # MATLAB counts days from 0 January of the year 0, Python from 1 January of 1


def list_imdb_wiki(
    root: Path,
    *,
    part: str = "both",
    min_score: float = 1.0,
    alone: bool = True,
    youngest: int = 0,
    oldest: int = 100,
) -> Listing:
    """`imdb.mat` and `wiki.mat` with the images that they name; the cropped faces are meant.

    Age is the year of the photograph less the year of birth, and one less for those born in July
    or later, since photographs are taken to be from the middle of the year, as the data set's
    page has it. Splits are drawn by hash of the name (eight, one and one tenth), so that nobody
    is in two; a row without a name draws by its path.

    Most rows need filtering, as is usual with this set: images without a face (a score of -inf),
    with a second one (whose name it may be), and ages that nobody has.

    Args:
        root: with `imdb_crop/imdb.mat`, `wiki_crop/wiki.mat` or both and the images beside them;
            or one of these folders itself.
        part: `imdb`, `wiki`, or `both` as far as they are there.
        min_score: least `face_score` of the detector.
        alone: leave out images with a second face.
        youngest, oldest: ages in years that are taken; others are unknown.

    Returns:
        Rows with `identity` (the name), `age` in years and `gender` (male, female).

    Raises:
        DataError: where no such file is there, it is no MATLAB 5 file, or scipy is not installed.
    """
    one_of("part", part, (*PARTS, "both"))
    limit = number("min_score", min_score)
    yes_or_no("alone", alone)
    ages = (number("youngest", youngest, 0, 130), number("oldest", oldest, 0, 130))
    listing = Listing(root, LABELS)
    files = [
        (name, folder)
        for name in (PARTS if part == "both" else (part,))
        for folder in ("", f"{name}_crop/", f"{name}/")
        if (root / folder / f"{name}.mat").is_file()
    ]
    if not files:
        wanted = "imdb.mat or wiki.mat" if part == "both" else f"{part}.mat"
        raise DataError(f"{root}: no {wanted}; unpack the archive of cropped faces there")
    for name, folder in files:
        table = _read(root / folder / f"{name}.mat", name)
        for index, row in enumerate(zip(*(table[field] for field in _FIELDS), strict=True)):
            _add(listing, folder, f"{name}.mat row {index + 1}", row, limit, alone, ages)
    return listing


def _add(
    listing: Listing,
    folder: str,
    place: str,
    row: tuple[Any, ...],
    limit: float,
    alone: bool,
    ages: tuple[float, float],
) -> None:
    born, taken, path, gender, name, score, second = row
    if not isinstance(path, str):
        listing.skip("no path", place)
    elif not _float(score) >= limit:  # so that NaN fails, too
        listing.skip("no face" if _float(score) == -math.inf else f"score below {limit:g}", place)
    elif alone and not math.isnan(_float(second)):
        listing.skip("a second face", place)
    else:
        person = name.strip() if isinstance(name, str) else ""
        labels: dict[str, Label] = {
            "identity": person or Unknown("no name"),
            "age": _age(_float(born), _float(taken), ages),
            "gender": {0.0: "female", 1.0: "male"}.get(_float(gender), Unknown("no gender")),
        }
        listing.add(f"{folder}{path}", three_ways(person or path), place, labels)


def _age(born: float, taken: float, ages: tuple[float, float]) -> Label:
    try:
        birth = date.fromordinal(int(born) - _YEAR_ZERO)
        years = int(taken) - birth.year - (birth.month >= 7)
    except (ValueError, OverflowError):
        return Unknown("no date of birth")
    low, high = ages
    return str(years) if low <= years <= high else Unknown(f"age beyond {low:g} to {high:g}")


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float | np.number) else math.nan


def _read(file: Path, name: str) -> dict[str, list[Any]]:
    return _loaded(file, name, stamp(file))


@lru_cache(maxsize=2)  # a run opens each split, and half a million rows take a while
def _loaded(file: Path, name: str, stamp: tuple[int, int]) -> dict[str, list[Any]]:
    """The fields of the struct in a .mat file, each as long as the others."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise DataError(
            f"{file}: reading MATLAB files needs scipy; pip install 'paenet[datasets]'"
        ) from None
    try:
        # Numbers, text and structs; objects of MATLAB's or Python's are never built from it.
        struct = loadmat(file, variable_names=[name], squeeze_me=True)[name]
        fields = {field: _column(struct[field].item()) for field in _FIELDS}
    # A broken file raises nearly anything: MatReadError, zlib.error, KeyError, IndexError, ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(
            f"{file}: cannot be read as the struct {name!r} of a MATLAB 5 file: "
            f"{quoted(reason) if len(reason) > 200 else reason}"
        ) from None
    lengths = {field: len(values) for field, values in fields.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(f"{file}: fields of different lengths: {lengths}; fetch it again")
    return fields


def _column(values: Any) -> list[Any]:
    """One field's values; a struct of one row has no array around them."""
    return list(values) if isinstance(values, np.ndarray) and values.ndim else [values]
