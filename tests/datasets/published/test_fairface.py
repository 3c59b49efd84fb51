"""FairFace: its validation is our test; validation is drawn from its training images."""

from pathlib import Path

import pytest

from paenet.datasets import DataError, read_published
from paenet.datasets.published.fairface import AGES, RACES
from paenet.tasks import create
from tests.datasets.published.trees import labels, put_images, put_lines, reasons

HEADER = "file,age,gender,race,service_test"


@pytest.fixture
def fairface(tmp_path: Path) -> Path:
    ages, races = list(AGES), list(RACES)
    for part, count in (("train", 60), ("val", 9)):
        files = [f"{part}/{n}.jpg" for n in range(1, count + 1)]
        put_images(tmp_path, files)
        rows = [
            f"{file},{ages[n % 9]},{('Male', 'Female')[n % 2]},{races[n % 7]},True"
            for n, file in enumerate(files)
        ]
        put_lines(tmp_path / f"fairface_label_{part}.csv", HEADER, *rows)
    return tmp_path


def test_published_validation_is_test(fairface: Path) -> None:
    test = read_published("fairface", fairface, "test")
    assert test.columns["age"] == tuple(AGES.values())
    assert test.columns["race"][:2] == ("Black", "East Asian")
    assert labels(test, "gender")["val/2.jpg"] == "female"
    train, val = (read_published("fairface", fairface, split) for split in ("train", "val"))
    assert len(train) + len(val) == 60
    assert 0 < len(val) < 20


def test_every_age_is_a_group_for_an_ordinal_task(fairface: Path) -> None:
    age = create("ordinal", "age", groups=list(AGES.values()))
    assert len(age.encode(read_published("fairface", fairface, "test").columns)) == 9


def test_odd_rows_are_counted(fairface: Path) -> None:
    with (fairface / "fairface_label_train.csv").open("a", encoding="utf-8") as file:
        file.write("train/99.jpg,20-29,Male,White,True\ntrain/1.jpg,20-29,Male,White,True\n")
        file.write("/etc/passwd,20-29,Male,White,True\n\n,,,,\n")
    put_images(fairface, ["train/100.jpg"])
    found = reasons(read_published("fairface", fairface))
    assert found == {"no such image": 2, "listed before": 1, "the path leaves the folder": 1}


def test_a_missing_or_wrong_label_file_is_named(fairface: Path) -> None:
    put_lines(fairface / "fairface_label_train.csv", "file,years,gender,race")
    with pytest.raises(DataError, match=r"fairface_label_train\.csv: no column 'age'"):
        read_published("fairface", fairface)
    put_lines(fairface / "fairface_label_train.csv", "file,age,age,gender,race")
    with pytest.raises(DataError, match="two columns 'age'"):
        read_published("fairface", fairface)
    put_lines(fairface / "fairface_label_train.csv")
    with pytest.raises(DataError, match="empty; its first line must name the columns"):
        read_published("fairface", fairface)
    (fairface / "fairface_label_train.csv").write_bytes(HEADER.encode("utf-16"))
    with pytest.raises(DataError, match="is UTF-16; save it as UTF-8"):
        read_published("fairface", fairface)
