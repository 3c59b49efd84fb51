"""RAF-DB: a list of names and numbers, aligned images or original ones."""

from pathlib import Path

import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons

NAMES = "surprise fear disgust happy sad anger neutral".split()
LIST = "list_patition_label.txt"


def put(root: Path, lists: str = "", images: str = "", *odd: str) -> Path:
    names = [f"train_{n:05d}" for n in range(1, 71)] + [f"test_{n:04d}" for n in range(1, 8)]
    put_images(root / images / "aligned", [f"{name}_aligned.jpg" for name in names])
    put_images(root / images / "original", [f"{name}.jpg" for name in names])
    lines = [f"{name}.jpg {n % 7 + 1}" for n, name in enumerate(names)]
    put_lines(root / lists / LIST, *lines, *odd, end=b"\r\n")
    return root


@pytest.mark.parametrize(
    ("lists", "images"), [("", ""), ("EmoLabel", "Image"), ("basic/EmoLabel", "basic/Image")]
)
def test_names_tell_the_split(lists: str, images: str, tmp_path: Path) -> None:
    root = put(tmp_path, lists, images)
    test = read_published("raf-db", root, "test")
    prefix = f"{images}/" if images else ""
    assert test.paths[0] == f"{prefix}aligned/test_0001_aligned.jpg"
    assert test.columns["expression"] == tuple(NAMES)
    train, val = (read_published("raf-db", root, split) for split in ("train", "val"))
    assert len(train) + len(val) == 70
    assert 0 < len(val) < 20
    original = read_published("raf-db", root, "test", images="original")
    assert original.paths[0] == f"{prefix}original/test_0001.jpg"
    assert original.columns["expression"] == test.columns["expression"]


def test_an_image_has_one_split_aligned_or_not(tmp_path: Path) -> None:
    root = put(tmp_path)
    aligned, original = (read_published("raf-db", root, images=i) for i in ("aligned", "original"))
    assert aligned.columns == original.columns


def test_odd_rows_are_counted(tmp_path: Path) -> None:
    odd = ("train_00099.jpg 4", "train_00001.jpg 4", "val_1.jpg 1", "train_00002.jpg", "x 1 2")
    root = put(tmp_path, "", "", *odd, "train_00100.jpg 8")
    put_images(root, ["aligned/train_00100_aligned.jpg"])
    examples = read_published("raf-db", root)
    assert reasons(examples) == {
        "no such image": 1,
        "listed before": 1,
        "not 'train_00001.jpg 5' or the like": 3,
        "expression '8'": 1,
    }
    assert labels(examples, "expression")["aligned/train_00001_aligned.jpg"] == "surprise"


def test_no_list_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"no {LIST} in it; unpack RAF-DB there"):
        read_published("raf-db", tmp_path)
