"""IMDb-Wiki: MATLAB's dates and missing values, the usual filters, splits by person."""

import math
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons, splits_of

io = pytest.importorskip("scipy.io")
DEFAULTS: dict[str, Any] = {
    "dob": date(1950, 3, 1),
    "photo_taken": 2000,
    "gender": 1.0,
    "name": "Ann Lee",
    "face_score": 3.5,
    "second_face_score": math.nan,
}


def cells(values: list[Any]) -> np.ndarray:
    """A cell array: one row of objects."""
    array = np.empty((1, len(values)), dtype=object)
    array[0] = values
    return array


def put(root: Path, *people: dict[str, Any], part: str = "wiki", folder: str = "wiki_crop") -> Path:
    """A .mat file as the owners have it, and an image for each row; a row has what differs."""
    rows = [{**DEFAULTS, **person} for person in people]
    paths = [
        row.get("full_path", f"{n % 100:02d}/{n}_1950-03-01_2000.jpg") for n, row in enumerate(rows)
    ]
    put_images(root / folder, [path for path in paths if path])

    def serial(value: Any) -> float:
        return value.toordinal() + 366 if isinstance(value, date) else value

    def text(value: str) -> Any:
        return value or np.zeros((0, 0))  # as MATLAB writes an empty one

    struct = {
        "dob": np.array([[serial(row["dob"]) for row in rows]]),
        "photo_taken": np.array([[row["photo_taken"] for row in rows]]),
        "full_path": cells([text(path) for path in paths]),
        "gender": np.array([[row["gender"] for row in rows]]),
        "name": cells([text(row["name"]) for row in rows]),
        "face_location": cells([np.array([[1.0, 1.0, 9.0, 9.0]]) for _ in rows]),
        "face_score": np.array([[row["face_score"] for row in rows]]),
        "second_face_score": np.array([[row["second_face_score"] for row in rows]]),
    }
    (root / folder).mkdir(parents=True, exist_ok=True)
    io.savemat(root / folder / f"{part}.mat", {part: struct})
    return root


def test_age_counts_a_birthday_in_july_as_still_to_come(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {"dob": date(1950, 6, 30)},
        {"dob": date(1950, 7, 1), "gender": 0.0, "name": "Bo"},
    )
    examples = read_published("imdb-wiki", root)
    assert examples.columns["age"] == ("50", "49")
    assert examples.columns["gender"] == ("male", "female")
    assert examples.columns["identity"] == ("Ann Lee", "Bo")
    assert examples.paths[0] == "wiki_crop/00/0_1950-03-01_2000.jpg"
    assert examples.read(0).shape == (12, 12, 3)


def test_the_usual_filters_name_what_they_leave_out(tmp_path: Path) -> None:
    root = put(
        tmp_path,
        {},
        {"face_score": -math.inf},
        {"face_score": 0.5},
        {"face_score": math.nan},
        {"second_face_score": 2.1},
        {"gender": math.nan},
        {"photo_taken": 2060},
        {"photo_taken": 1940},
    )
    examples = read_published("imdb-wiki", root)
    assert len(examples) == 1
    assert reasons(examples) == {
        "no face": 1,
        "score below 1": 2,
        "a second face": 1,
        "no gender": 1,
        "age beyond 0 to 100": 2,
    }
    assert examples.skipped.first["a second face"] == ("wiki.mat row 5",)
    assert len(read_published("imdb-wiki", root, min_score=0, alone=False, oldest=120)) == 4
    assert len(read_published("imdb-wiki", root, needs=["age"])) == 2
    assert len(read_published("imdb-wiki", root, youngest=50, oldest=50)) == 1
    with pytest.raises(DataError, match="no examples; 8 rows"):
        read_published("imdb-wiki", root, oldest=49)


@pytest.mark.parametrize("dob", [47.0, 0.0, -5.0, math.nan, math.inf, 1e300])
def test_a_date_of_birth_that_is_none_is_counted(dob: float, tmp_path: Path) -> None:
    examples = read_published("imdb-wiki", put(tmp_path, {}, {"dob": dob}))
    assert len(examples) == 1
    assert reasons(examples) == {"no date of birth": 1}


def test_nobody_is_in_two_splits_and_names_may_be_missing(tmp_path: Path) -> None:
    people = [{"name": f"Person {n % 40}" if n % 41 else ""} for n in range(120)]
    root = put(tmp_path, *people)
    split = splits_of("imdb-wiki", root, "identity", needs=["age"])
    assert set(split) == {"train", "val", "test"}
    named = [split[name] - {""} for name in split]
    assert sum(map(len, named)) == len(set.union(*named)) == 40
    assert reasons(read_published("imdb-wiki", root)) == {"no name": 3}


def test_both_parts_are_read_or_the_one_that_is_named(tmp_path: Path) -> None:
    put(tmp_path, {}, {"name": "Bo"})
    put(tmp_path, {}, part="imdb", folder="imdb_crop")
    assert len(read_published("imdb-wiki", tmp_path)) == 3
    assert len(read_published("imdb-wiki", tmp_path, part="imdb")) == 1
    assert len(read_published("imdb-wiki", tmp_path / "wiki_crop", part="wiki")) == 2
    with pytest.raises(DataError, match=r"no imdb\.mat; unpack the archive"):
        read_published("imdb-wiki", tmp_path / "wiki_crop", part="imdb")


def test_paths_and_images_that_are_not_there_are_counted(tmp_path: Path) -> None:
    root = put(tmp_path, {}, {"full_path": ""}, {"name": "Bo"}, {"full_path": "../x.jpg"})
    (root / "wiki_crop/02/2_1950-03-01_2000.jpg").unlink()
    found = reasons(read_published("imdb-wiki", root))
    assert found == {"no path": 1, "no such image": 1, "the path leaves the folder": 1}


def test_a_file_that_changes_is_read_anew(tmp_path: Path) -> None:
    assert len(read_published("imdb-wiki", put(tmp_path, {}))) == 1
    assert len(read_published("imdb-wiki", put(tmp_path, {}, {"name": "Bo"}))) == 2


def test_what_is_no_such_file_is_refused(tmp_path: Path) -> None:
    file = put_lines(tmp_path / "wiki.mat", "no MATLAB file" * 20)
    with pytest.raises(DataError, match=r"wiki\.mat: cannot be read as the struct 'wiki'"):
        read_published("imdb-wiki", tmp_path)
    whole = (put(tmp_path / "whole", {}, {}) / "wiki_crop/wiki.mat").read_bytes()
    for end in range(0, len(whole), 97):
        file.write_bytes(whole[:end])
        with pytest.raises(DataError, match="cannot be read"):
            read_published("imdb-wiki", tmp_path)
    io.savemat(file, {"wiki": {"dob": np.zeros((1, 2))}})
    with pytest.raises(DataError, match="cannot be read"):
        read_published("imdb-wiki", tmp_path)
    io.savemat(file, {"imdb": {"dob": np.zeros((1, 2))}})
    with pytest.raises(DataError, match="cannot be read"):
        read_published("imdb-wiki", tmp_path)


def test_without_scipy_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = put(tmp_path, {})
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(DataError, match=r"needs scipy; pip install 'paenet\[datasets\]'"):
        read_published("imdb-wiki", root)


def test_the_hundreds_of_one_name_are_labelled_by_their_rows(tmp_path: Path) -> None:
    root = put(tmp_path, {"photo_taken": 1990}, {"photo_taken": 1991}, {"photo_taken": 1992})
    ages = labels(read_published("imdb-wiki", root), "age")
    assert list(ages.values()) == ["40", "41", "42"]


def test_scipy_is_imported_by_nothing_but_this() -> None:
    code = "import sys, paenet.datasets, paenet.cli; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
