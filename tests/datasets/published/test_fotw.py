"""Faces of the World: the challenge's own splits, blanks in its headers, "not sure"."""

from pathlib import Path

import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons

HEADER = "image_name, bbox_x, bbox_y, bbox_width, bbox_height, Gender, Smile"
FILES = {
    "train": ("smiles_trset", "gender_fex_trset.csv"),
    "val": ("smiles_valset", "gender_fex_valset.csv"),
    "test": ("track3_all", "test_gt.csv"),
}


@pytest.fixture
def fotw(tmp_path: Path) -> Path:
    for folder, file in FILES.values():
        rows = [f"{n}.jpg,10,20,100,110,{n % 2},{n // 2}" for n in range(4)]
        put_images(tmp_path / folder, [f"{n}.jpg" for n in range(8)])
        odd = ("4.jpg,1,2,3,4,2,1", "5.jpg,1,2,3,4,0,2", "6.jpg,1,2,3,4,,1", "9.jpg,1,2,3,4,0,0")
        put_lines(tmp_path / folder / file, HEADER, *rows, *odd, "7.jpg", end=b"\r\n")
    return tmp_path


def test_each_folder_is_a_split(fotw: Path) -> None:
    for split, (folder, _) in FILES.items():
        examples = read_published("fotw", fotw, split)
        assert examples.paths == tuple(f"{folder}/{n}.jpg" for n in range(4))
        assert examples.columns["gender"] == ("male", "female") * 2
        assert examples.columns["smile"] == ("not smiling",) * 2 + ("smiling",) * 2


def test_who_is_not_sure_is_counted(fotw: Path) -> None:
    examples = read_published("fotw", fotw)
    assert reasons(examples) == {
        **{"gender '2'": 3, "smile '2'": 3, "gender ''": 3},
        **{"no such image": 3, "1 cells, not 7": 3},
    }
    assert len(read_published("fotw", fotw, needs=["smile"])) == 18
    gender = read_published("fotw", fotw, "val", needs=["gender"])
    assert labels(gender, "smile")["smiles_valset/5.jpg"] == ""


def test_a_label_file_may_stand_in_the_root_and_a_split_be_absent(fotw: Path) -> None:
    (fotw / "smiles_trset/gender_fex_trset.csv").rename(fotw / "gender_fex_trset.csv")
    (fotw / "track3_all/test_gt.csv").unlink()
    assert len(read_published("fotw", fotw, "train")) == 4
    with pytest.raises(DataError, match="no examples in split 'test'; known: train, val"):
        read_published("fotw", fotw, "test")


def test_no_label_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of smiles_trset/gender_fex_trset\.csv, .* unpack"):
        read_published("fotw", tmp_path)
    put_lines(tmp_path / "smiles_trset/gender_fex_trset.csv", "image_name, Sex, Smile")
    with pytest.raises(DataError, match="no column 'gender' in its first line"):
        read_published("fotw", tmp_path)
