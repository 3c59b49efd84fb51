"""UTKFace: names are labels, some are known to be broken, copies count once."""

from pathlib import Path

from paenet.datasets import read_published
from tests.datasets.published.trees import labels, put_images, put_lines, reasons

TIME = "20170116174525125"


def test_labels_are_read_from_names(tmp_path: Path) -> None:
    put_images(tmp_path, [f"31_0_2_{TIME}.jpg.chip.jpg", f"part1/116_1_4_{TIME}.jpg"])
    examples = read_published("utkface", tmp_path)
    assert labels(examples, "age") == {
        f"31_0_2_{TIME}.jpg.chip.jpg": "31",
        f"part1/116_1_4_{TIME}.jpg": "116",
    }
    assert examples.columns["gender"] == ("male", "female")
    assert examples.columns["race"] == ("asian", "other")


def test_known_broken_names_serve_where_their_labels_suffice(tmp_path: Path) -> None:
    put_images(
        tmp_path,
        [
            f"25_1_0_{TIME}.jpg",
            "61_1_20170109142408075.jpg",  # lacks race
            "39_1_20170116174525125.jpg.chip.jpg",
            "53__0_20170116184028385.jpg",  # lacks gender
            f"44_3_0_{TIME}.jpg",
            f"44_1_9_{TIME}.jpg",
            f"999_1_0_{TIME}.jpg",
            f"-1_1_0_{TIME}.jpg",
            "44_1_0.jpg",
            "portrait.jpg",
            f"1_1_1_1_{TIME}.jpg",
            f"²_1_1_{TIME}.jpg",
        ],
    )
    assert len(examples := read_published("utkface", tmp_path)) == 1
    assert reasons(examples) == {
        "the name is no age_gender_race_time": 3,
        "no race in the name": 2,
        "gender ''": 1,
        "gender '3'": 1,
        "race '9'": 1,
        "age '999'": 1,
        "age '-1'": 1,
        r"age '\xb2'": 1,
    }
    assert len(read_published("utkface", tmp_path, needs=["age", "gender"])) == 4
    assert len(read_published("utkface", tmp_path, needs=["age"])) == 6


def test_copies_of_an_image_count_once(tmp_path: Path) -> None:
    names = [f"{age}_0_0_{TIME}.jpg.chip.jpg" for age in range(1, 11)]
    for folder in ("UTKFace", "crop_part1", "aligned/UTKFace"):
        put_images(tmp_path / folder, names)
    examples = read_published("utkface", tmp_path)
    assert examples.paths[0].startswith("UTKFace/")
    assert len(examples) == 10
    assert reasons(examples) == {"another copy of an image": 20}


def test_an_image_under_several_ages_counts_once(tmp_path: Path) -> None:
    ages = range(28, 36)
    put_images(tmp_path, ["60_1_0_20170109142408075.jpg", "61_1_0_20170109142408075.jpg"])
    for age in ages:  # bytes of the same image, and of no other one's size
        put_lines(tmp_path / f"{age}_0_0_{TIME}.jpg", "the same photograph")
    put_lines(tmp_path / f"part2/36_0_0_{TIME}.jpg", "another photograph!")
    examples = read_published("utkface", tmp_path)
    assert labels(examples, "age") == {
        f"28_0_0_{TIME}.jpg": "28",
        "60_1_0_20170109142408075.jpg": "60",
        "61_1_0_20170109142408075.jpg": "61",
        f"part2/36_0_0_{TIME}.jpg": "36",
    }
    assert reasons(examples) == {"the same image under another name": 7}


def test_the_photograph_of_a_copy_does_not_count_either(tmp_path: Path) -> None:
    for age in (28, 35):
        put_lines(tmp_path / f"cropped/{age}_0_0_{TIME}.jpg.chip.jpg", "the same face")
        put_lines(tmp_path / f"wild/{age}_0_0_{TIME}.jpg", "its photograph")
    examples = read_published("utkface", tmp_path)
    assert examples.paths == (f"cropped/28_0_0_{TIME}.jpg.chip.jpg",)


def test_a_face_has_one_split_cropped_or_not(tmp_path: Path) -> None:
    names = [f"{age}_{age % 2}_0_{TIME}.jpg" for age in range(100)]
    put_images(tmp_path / "wild", names)
    put_images(tmp_path / "cropped", [f"{name}.chip.jpg" for name in names])
    wild, cropped = (read_published("utkface", tmp_path / d) for d in ("wild", "cropped"))
    assert wild.columns["split"] == cropped.columns["split"]
    assert set(wild.columns["split"]) == {"train", "val", "test"}
    assert wild.columns["split"].count("train") > 60


def test_names_that_nothing_can_print_are_counted(tmp_path: Path) -> None:
    put_images(tmp_path, [f"31_0_2_{TIME}.jpg"])
    put_lines(tmp_path / "31_0_\n2.jpg", "x")
    examples = read_published("utkface", tmp_path)
    assert reasons(examples) == {"the name is not UTF-8 text": 1}
    assert all(place.isascii() for (place,) in examples.skipped.first.values())
