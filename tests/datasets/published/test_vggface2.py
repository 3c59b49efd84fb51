"""VGGFace2: folders of people; nobody is in two splits; landmarks where they are wanted."""

from pathlib import Path

import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons, splits_of

HEADER = "NAME_ID," + ",".join(f"P{n}{axis}" for n in range(1, 6) for axis in "XY")


def vggface2(root: Path, people: int = 60) -> Path:
    train = [f"train/n{n:06d}/{i:04d}_01.jpg" for n in range(2, people + 2) for i in (1, 2)]
    put_images(root, [*train, "test/n000001/0001_01.jpg", "test/n000009/0003_02.jpg"])
    return root


def test_nobody_is_in_two_splits(tmp_path: Path) -> None:
    people = splits_of("vggface2", vggface2(tmp_path), "identity")
    assert people["test"] == {"n000001", "n000009"}
    assert not people["train"] & people["val"]
    assert 1 < len(people["val"]) < 15
    assert len(people["train"] | people["val"]) == 60


def test_a_person_stays_in_a_split_when_others_come(tmp_path: Path) -> None:
    before = splits_of("vggface2", vggface2(tmp_path, 30), "identity")
    after = splits_of("vggface2", vggface2(tmp_path, 60), "identity")
    assert before["val"] <= after["val"]
    assert before["train"] <= after["train"]


def test_what_is_no_image_is_passed_over(tmp_path: Path) -> None:
    root = vggface2(tmp_path, 1)
    put_lines(root / "train/n000002/notes.txt", "no image")
    put_lines(root / "train/n000002/._0001_01.jpg", "what a Mac leaves")
    put_lines(root / "train/list.txt", "no folder")
    assert len(read_published("vggface2", root)) == 4


def test_landmarks_are_ten_numbers_or_nothing(tmp_path: Path) -> None:
    root = vggface2(tmp_path, 1)
    with pytest.raises(DataError, match=r"loose_landmark_train\.csv: No such file.*put the data"):
        read_published("vggface2", root, landmarks=True)
    numbers = ",".join(f"{n}.5" for n in range(9))
    folder = root / "bb_landmark"
    put_lines(
        folder / "loose_landmark_train.csv",
        HEADER,
        f'"n000002/0001_01",{numbers},-3',
        f'"n000002/0002_01",{numbers},1e999',
        f'"n000002/0002_01,{numbers},4',
    )
    put_lines(folder / "loose_landmark_test.csv", HEADER)
    examples = read_published("vggface2", root, landmarks=True)
    found = labels(examples, "landmarks")
    assert found["train/n000002/0001_01.jpg"].split()[-2:] == ["8.5", "-3"]
    assert found["train/n000002/0002_01.jpg"] == found["test/n000001/0001_01.jpg"] == ""
    assert reasons(examples) == {"landmarks that are no numbers": 1, "the line is not CSV": 1}


def test_a_folder_without_its_parts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither train/ nor test/"):
        read_published("vggface2", tmp_path)
    vggface2(tmp_path)
    with pytest.raises(DataError, match="landmarks is 'yes'; give true or false"):
        read_published("vggface2", tmp_path, landmarks="yes")
