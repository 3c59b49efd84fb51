"""Adience: five folds of people, the eight ages of the published protocol, every odd row named."""

import csv
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, Examples, read_published
from paenet.datasets.published.adience import AGES
from tests.datasets.pictures import picture
from tests.datasets.published.trees import labels, put_images, put_lines, reasons, splits_of

HEADER = (
    "user_id original_image face_id age gender x y dx dy tilt_ang fiducial_yaw_angle fiducial_score"
).replace(" ", "\t")


def line(user: str, image: str, face: int, age: str, gender: str) -> str:
    return "\t".join([user, image, str(face), age, gender, *"0 414 1086 1383 -115 30 17".split()])


def adience(root: Path, *odd: str | bytes, per_fold: int = 30, folder: str = "faces") -> Path:
    """Five folds of people with two images each; `odd` lines stand in fold 3, without images."""
    prefix = {"faces": "coarse_tilt_aligned_face", "aligned": "landmark_aligned_face"}[folder]
    images = []
    for fold in range(5):
        lines = [HEADER]
        for person in range(fold * per_fold, (fold + 1) * per_fold):
            for number in range(2):
                name = f"{person}{number}_o.jpg"
                age = list(AGES)[person % 8]
                lines.append(line(f"{fold}@N03", name, person, age, "fm"[person % 2]))
                images.append(f"{folder}/{fold}@N03/{prefix}.{person}.{name}")
        put_lines(root / f"fold_{fold}_data.txt", *lines, *(odd if fold == 3 else ()))
    put_images(root, images)
    return root


def test_the_tested_fold_is_the_test_split_and_nobody_is_in_two(tmp_path: Path) -> None:
    root = adience(tmp_path)
    for fold in range(5):
        people = splits_of("adience", root, "identity", fold=fold)
        assert people["test"] == {str(n) for n in range(fold * 30, fold * 30 + 30)}
        assert len(people["train"]) + len(people["val"]) == 120
        assert not people["train"] & people["val"]
        assert 3 < len(people["val"]) < 30


def test_images_and_labels_belong_together(tmp_path: Path) -> None:
    root = adience(tmp_path, per_fold=2)
    test = read_published("adience", root, "test", fold=1)
    path = "faces/1@N03/coarse_tilt_aligned_face.2.20_o.jpg"
    assert labels(test, "age")[path] == "8-13"
    assert labels(test, "gender")[path] == "female"
    np.testing.assert_array_equal(test.read(test.paths.index(path)), picture(4))
    assert set(test.columns) == {"identity", "age", "gender", "split"}


def test_the_aligned_images_are_an_option(tmp_path: Path) -> None:
    root = adience(tmp_path, per_fold=1, folder="aligned")
    test = read_published("adience", root, "test", images="aligned")
    assert test.paths[0] == "aligned/0@N03/landmark_aligned_face.0.00_o.jpg"
    with pytest.raises(DataError, match=r"no examples; 10 rows are left out: 10 × no such image"):
        read_published("adience", root)


def test_odd_rows_are_counted_and_named(tmp_path: Path) -> None:
    odd = [
        *(line("x", "a.jpg", 900 + n, age, "m") for n, age in enumerate(("13", "35", "None"))),
        line("x", "b.jpg", 910, "(27, 32)", "f"),
        line("x", "c.jpg", 911, "(0, 2)", "u"),
        line("x", "d.jpg", 912, "(0, 2)", ""),
        line("x", "gone.jpg", 913, "(0, 2)", "m"),
        line("..", "../../etc/passwd", 914, "(0, 2)", "m"),
        "x\ttoo few",
        line("é", "é.jpg", 915, "(0, 2)", "f").encode("latin-1"),
        line("é", "ü.jpg", 916, "(0, 2)", "f"),
        line("3@N03", "900_o.jpg", 90, "(0, 2)", "f"),
        "",
    ]
    root = adience(tmp_path, *odd)
    put_images(root, [f"faces/x/coarse_tilt_aligned_face.{900 + n}.a.jpg" for n in range(3)])
    put_images(root, [f"faces/x/coarse_tilt_aligned_face.{n}.jpg" for n in ("910.b", "911.c")])
    put_images(root, ["faces/x/coarse_tilt_aligned_face.912.d.jpg"])
    put_images(root, [f"faces/é/coarse_tilt_aligned_face.{n}.jpg" for n in ("915.é", "916.ü")])

    both = read_published("adience", root)

    assert len(both) == 302  # the two of either encoding, too
    assert reasons(both) == {
        **{f"age '{age}'": 1 for age in ("13", "35", "None", "(27, 32)")},
        **{"gender 'u'": 1, "gender ''": 1, "no such image": 1, "listed before": 1},
        **{"2 cells, not 12": 1, "the path leaves the folder": 1},
    }
    assert both.skipped.first["2 cells, not 12"] == ("fold_3_data.txt line 70",)
    assert len(read_published("adience", root, needs=["age"])) == 304
    gender = read_published("adience", root, needs="gender")
    assert len(gender) == 306
    assert labels(gender, "age")["faces/x/coarse_tilt_aligned_face.900.a.jpg"] == ""


def test_byte_order_marks_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    root = adience(tmp_path)
    before = read_published("adience", root)
    for fold in range(5):
        file = root / f"fold_{fold}_data.txt"
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    after = read_published("adience", root)
    assert (after.paths, after.columns) == (before.paths, before.columns)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fold": 5}, "adience: fold is 5; give one of 0, 1, 2, 3, 4"),
        ({"fold": True}, "fold is True"),
        ({"fold": "1"}, "fold is '1'"),
        ({"images": "face"}, "images is 'face'; give one of faces, aligned"),
        ({"fodl": 1}, "adience: unknown option 'fodl'; did you mean 'fold'?"),
        ({"needs": ["ages"]}, "adience: needs: no column 'ages'; did you mean 'age'?"),
        ({"needs": 3}, "adience: needs is 3; give a list of identity, age, gender"),
    ],
)
def test_a_wrong_option_is_refused(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message.replace("?", r"\?")):
        read_published("adience", adience(tmp_path, per_fold=1), **options)


def test_a_missing_label_file_is_named_with_its_mend(tmp_path: Path) -> None:
    root = adience(tmp_path, per_fold=1)
    (root / "fold_2_data.txt").unlink()
    with pytest.raises(DataError, match=r"fold_2_data\.txt: No such file.*put the data set's"):
        read_published("adience", root)
    with pytest.raises(DataError, match="no such folder; give the folder of the data set"):
        read_published("adience", tmp_path / "none")


# ---------------------------------------------------------------- the real label files


@pytest.fixture(scope="module")
def official(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The official label files, with an empty file for each image that they name."""
    root = tmp_path_factory.mktemp("adience")
    with zipfile.ZipFile(real_data / "data/adience/folds.zip") as folds:
        folds.extractall(root)
    for fold in range(5):
        for row in rows(root, fold):
            face, image = row["face_id"], row["original_image"]
            file = root / "faces" / row["user_id"] / f"coarse_tilt_aligned_face.{face}.{image}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    return root


def rows(root: Path, fold: int) -> list[dict[str, str]]:
    """The rows of a label file, read by another way."""
    with (root / f"fold_{fold}_data.txt").open(encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.mark.real
def test_each_real_fold_has_its_images_and_people(official: Path) -> None:
    counts = []
    for fold in range(5):
        examples = read_published("adience", official, fold=fold, needs=[])
        split = Counter(examples.columns["split"])
        people: dict[str, set[str]] = {name: set() for name in split}
        for name, person in zip(
            examples.columns["split"], examples.columns["identity"], strict=True
        ):
            people[name].add(person)
        assert not people["train"] & people["val"]
        assert not people["test"] & (people["train"] | people["val"])
        assert len(set.union(*people.values())) == 2284
        assert len(examples) == 19370
        assert 0.07 < split["val"] / (split["val"] + split["train"]) < 0.12
        counts.append(split["test"])
    assert counts == [4484, 3730, 3894, 3446, 3816]  # the lines of each file but its first


@pytest.mark.real
def test_the_real_ages_are_those_of_the_published_protocol(official: Path) -> None:
    ages = Counter(row["age"] for fold in range(5) for row in rows(official, fold))
    known = {group: ages[text] for text, group in AGES.items()}
    examples = read_published("adience", official, needs=["age"])
    assert Counter(examples.columns["age"]) == known
    # Every other age is left out under its own name, none is lost.
    odd = {f"age {text!r}": count for text, count in ages.items() if text not in AGES}
    assert reasons(examples) == odd
    assert odd["age '(27, 32)'"] == 77
    assert odd["age '13'"] == 168
    assert len(examples) + len(examples.skipped) == 19370


@pytest.mark.real
def test_the_real_genders_are_all_handled(official: Path) -> None:
    examples = read_published("adience", official, needs=["gender"])
    assert Counter(examples.columns["gender"]) == {"female": 9372, "male": 8120}
    assert reasons(examples) == {"gender 'u'": 1099, "gender ''": 779}


@pytest.mark.real
def test_the_images_at_hand_stand_in_the_real_fold_0(real_data: Path, official: Path) -> None:
    with (real_data / "data/adience/labels.csv").open(encoding="utf-8", newline="") as file:
        at_hand = {row["source_name"]: row for row in csv.DictReader(file)}
    examples = read_published("adience", official, "test", fold=0)
    named = {path.removeprefix("faces/"): row for row, path in enumerate(examples.paths)}
    assert at_hand.keys() <= named.keys()
    for name, row in at_hand.items():
        assert value(examples, named[name], "age") == row["age_group"]
        assert value(examples, named[name], "gender") == row["gender"]
        assert value(examples, named[name], "identity") == row["identity"]


def value(examples: Examples, row: int, column: str) -> str:
    return examples.columns[column][row]
