"""LFW: its official pairs, and its people; it is for testing only."""

import csv
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, open_examples, pairs_at, read_pairs, read_published
from tests.datasets.pictures import picture
from tests.datasets.published.trees import put_images, put_lines

IMAGES = (*(f"Ann_Lee/Ann_Lee_{n:04d}.jpg" for n in (1, 2, 10)), "Bo/Bo_0001.jpg", "Cy/Cy_0002.jpg")
PAIRS = (
    "2\t1",
    "Ann_Lee\t1\t10",
    "Ann_Lee\t2\tBo\t1",
    "Ann_Lee\t2\t10",
    "Bo\t1\tCy\t2",
)


@pytest.fixture
def lfw(tmp_path: Path) -> Path:
    put_images(tmp_path, IMAGES)
    put_lines(tmp_path / "pairs.txt", *PAIRS)
    return tmp_path


@pytest.mark.parametrize("inner", ["", "lfw/", "lfw-deepfunneled/"])
def test_pairs_point_at_the_images_of_their_people(inner: str, tmp_path: Path) -> None:
    put_images(tmp_path, [inner + name for name in IMAGES])
    put_lines(tmp_path / inner / "pairs.txt", *PAIRS, end=b"\r\n")
    pairs = pairs_at(tmp_path)
    names = np.array(pairs.examples.paths)
    assert names[pairs.a].tolist() == [inner + IMAGES[n] for n in (0, 1, 1, 3)]
    assert names[pairs.b].tolist() == [inner + IMAGES[n] for n in (2, 3, 2, 4)]
    assert pairs.same.tolist() == [True, False, True, False]
    assert pairs.fold.tolist() == [1, 1, 2, 2]
    np.testing.assert_array_equal(pairs.examples.read(int(pairs.b[3])), picture(4))


def test_aligned_images_may_be_png(lfw: Path) -> None:
    (lfw / "Bo/Bo_0001.jpg").rename(lfw / "Bo/Bo_0001.png")
    assert "Bo/Bo_0001.png" in pairs_at(lfw).examples.paths


def test_a_development_set_has_one_fold(lfw: Path) -> None:
    put_lines(lfw / "pairs.txt", "1", *PAIRS[1:3])
    assert pairs_at(lfw).fold.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("ten 300",), "the first line must be folds and pairs"),
        (("0\t300",), "the first line must be folds and pairs"),
        ((), "the first line must be folds and pairs"),
        (PAIRS[:4], "3 pairs, but its first line announces 2 folds of 1"),
        (("9999\t9999", *PAIRS[1:]), "4 pairs, but its first line announces"),
        (("1\t1", "Ann_Lee\t1", PAIRS[2]), r"pairs.txt line 2: .* is not 'name, number, number'"),
        (("1\t1", *PAIRS[1:2] * 2), "line 3: .* is not 'name, number, name, number'"),
        (("1\t1", "Ann_Lee\t1\tx", PAIRS[2]), "line 2: 'x' is no number of an image"),
        (("1\t1", "Ann_Lee\t1\t²", PAIRS[2]), "is no number of an image"),
        (("1\t1", "../Bo\t1\t2", PAIRS[2]), "leaves the folder"),
    ],
)
def test_a_wrong_pair_is_refused_by_its_line(lines: tuple[str], message: str, lfw: Path) -> None:
    put_lines(lfw / "pairs.txt", *lines)
    with pytest.raises(DataError, match=message):
        pairs_at(lfw)


def test_a_folder_without_pairs_is_refused(lfw: Path) -> None:
    (lfw / "pairs.txt").unlink()
    with pytest.raises(DataError, match=r"no pairs\.txt in it; put the one of LFW there"):
        pairs_at(lfw)


def test_all_people_are_for_testing(lfw: Path) -> None:
    test = read_published("lfw", lfw, "test")
    assert test.columns["identity"] == ("Ann_Lee",) * 3 + ("Bo", "Cy")
    with pytest.raises(DataError, match="no examples in split 'train'; known: test"):
        open_examples({"dataset": "lfw", "root": lfw}, "train")


@pytest.mark.real
def test_the_real_pairs_survive_the_official_format(real_data: Path, tmp_path: Path) -> None:
    table = real_data / "data/lfw/pairs.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    lines = ["10\t300"]
    for row in rows:
        (one, a), (two, b) = (Path(row[f"path_{side}"]).stem.rsplit("_", 1) for side in ("a", "b"))
        cells = (one, int(a), int(b)) if row["same"] == "1" else (one, int(a), two, int(b))
        lines.append("\t".join(map(str, cells)))
    put_lines(tmp_path / "pairs.txt", *lines)
    ours, given = pairs_at(tmp_path), read_pairs(table)
    assert len(ours.examples) == 7701
    for key in ("same", "fold", "a", "b"):
        np.testing.assert_array_equal(getattr(ours, key), getattr(given, key))
