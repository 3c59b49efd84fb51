"""A published data set is tested because it is listed; hostile label files end well."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.datasets import PUBLISHED, DataError, published, read_published, survey
from tests.datasets.published.trees import put_images, put_lines

# Label files by data set, each with a first line that names its columns; binary ones have none.
FILES = {
    "vggface2": {},
    "lfw": {"pairs.txt": "1\t1"},
    "adience": {
        f"fold_{n}_data.txt": "user_id\toriginal_image\tface_id\tage\tgender" for n in range(5)
    },
    "imdb-wiki": {"wiki.mat": ""},
    "fotw": {"smiles_trset/gender_fex_trset.csv": "image_name, Gender, Smile"},
    "affectnet": {
        f"{part}.csv": "subDirectory_filePath,expression,valence,arousal"
        for part in ("training", "validation")
    },
    "utkface": {},
    "fairface": {f"fairface_label_{part}.csv": "file,age,gender,race" for part in ("train", "val")},
    "raf-db": {"list_patition_label.txt": "train_00001.jpg 5"},
    "fer2013": {"fer2013.csv": "emotion,pixels,Usage"},
    "cifar100": {"train.bin": "", "test.bin": "", "fine_label_names.txt": ""},
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_data_set_says_what_it_is(name: str) -> None:
    entry = published(name)
    assert entry.name == name
    assert entry.url.startswith("http")
    assert entry.title
    assert entry.terms
    assert set(entry.splits) <= {"train", "val", "test"}
    assert entry.options["needs"] == list(entry.labels) != []


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_empty_or_missing_folder_is_an_error_that_names_it(name: str, tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match=name) as caught:
            read_published(name, root)
        assert str(root) in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_an_option_that_is_none_is_refused_by_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{name}: unknown option 'neds'; did you mean 'needs'"):
        read_published(name, tmp_path, neds=["age"])


@pytest.mark.parametrize("name", PUBLISHED)
@given(data=st.binary(max_size=300), alone=st.booleans())
def test_hostile_label_files_are_read_or_refused(
    name: str, data: bytes, alone: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("hostile")
    put_images(root, ["train/n1/x.jpg", "a.jpg"])
    for file, header in FILES[name].items():
        put_lines(root / file, *([] if alone else [header]), data)
    try:
        found = survey(name, root)
    except DataError as error:
        assert "\n" not in str(error)
        assert str(error).isprintable()
    else:
        assert sum(found["examples"].values()) > 0


def test_an_unknown_data_set_is_refused_with_the_nearest() -> None:
    with pytest.raises(DataError, match="unknown dataset 'adiense'; did you mean 'adience'"):
        published("adiense")
    with pytest.raises(DataError, match="unknown dataset 3; known: adience, affectnet"):
        published(3)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    put_images(tmp_path, ["elsewhere/0001_01.jpg", "root/train/n1/0001_01.jpg"])
    os.symlink(tmp_path / "elsewhere", tmp_path / "root/train/n2")
    with pytest.raises(DataError, match="leaves the folder"):
        read_published("vggface2", tmp_path / "root")


def test_a_line_without_an_end_is_no_label(tmp_path: Path) -> None:
    put_images(tmp_path, ["train/1.jpg"])
    header = "file,age,gender,race"
    row = "train/1.jpg,20-29,Male,White"
    put_lines(tmp_path / "fairface_label_train.csv", header, "x," * 10**6, row)
    put_lines(tmp_path / "fairface_label_val.csv", header)
    examples = read_published("fairface", tmp_path)
    assert examples.paths == ("train/1.jpg",)
    assert examples.skipped.first == {"32769 cells, not 4": ("fairface_label_train.csv line 2",)}


def test_a_survey_counts_by_split_and_label(tmp_path: Path) -> None:
    put_images(tmp_path, [f"test/n{n}/{i}.jpg" for n in range(130) for i in range(2)])
    put_images(tmp_path, ["train/p/1.jpg"])
    found = survey("vggface2", tmp_path)
    assert found["examples"] == {"train": 1, "val": 0, "test": 260}
    assert found["labels"] == {"identity": {"different": {"train": 1, "val": 0, "test": 130}}}
    put_images(tmp_path / "lfw", ["Bo/Bo_0001.jpg", "Bo/Bo_0002.jpg", "Cy/Cy_0001.jpg"])
    put_lines(tmp_path / "lfw/pairs.txt", "1\t1", "Bo\t1\t2", "Bo\t1\tCy\t1")
    found = survey("lfw", tmp_path / "lfw")
    assert found["labels"]["identity"] == {"values": {"Bo": {"test": 2}, "Cy": {"test": 1}}}
    assert found["pairs"] == {"pairs": 2, "same": 1, "folds": 1}
    assert found["skipped"] == {"rows": 0, "summary": "nothing is left out", "reasons": []}


def test_a_survey_of_faces_without_their_pairs_says_what_is_there(tmp_path: Path) -> None:
    put_images(tmp_path, ["Bo/Bo_0001.jpg"])
    found = survey("lfw", tmp_path)
    assert found["examples"] == {"test": 1}
    assert "pairs" not in found
