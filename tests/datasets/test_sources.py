"""A recipe's `data` opens whatever it names, and an unknown key is refused by name."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paenet.datasets import DataError, open_examples, origins, split_names
from tests.datasets.pictures import picture, png

FACES = {"synthetic": {"people": 2, "per_person": 2}}


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Ages in two tables, under two names; only the first has a val split."""
    for name, header, splits in (("a", "age", ("train", "val")), ("b", "years", ("train",))):
        (tmp_path / name).mkdir()
        rows = [f"{split}.png,7,{split}" for split in splits]
        for split in splits:
            (tmp_path / name / f"{split}.png").write_bytes(png(picture(0)))
        (tmp_path / name / "labels.csv").write_text(f"path,{header},split\n" + "\n".join(rows))
    return tmp_path / "a/labels.csv", tmp_path / "b/labels.csv"


def test_every_kind_of_source_opens(tables: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "images/train/cat").mkdir(parents=True)
    (tmp_path / "images/train/cat/0.png").write_bytes(png(picture(0)))
    for spec in (
        {"table": tables[0]},
        {"folder": str(tmp_path / "images")},
        str(tables[0]),
        tmp_path / "images",
        FACES,
        {"synthetic": None},
    ):
        assert len(open_examples(spec, "train")) > 0
        assert "train" in split_names(spec)


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """VGGFace2 with a person in each split."""
    names = ("n000002", "n000008")  # what their hashes draw
    for path in (f"train/{names[0]}/1.jpg", f"train/{names[1]}/1.jpg", "test/n000001/1.jpg"):
        (tmp_path / "people" / path).parent.mkdir(parents=True)
        (tmp_path / "people" / path).write_bytes(png(picture(1)))
    return tmp_path / "people"


def test_a_published_data_set_opens_with_its_options(people: Path) -> None:
    spec = {"dataset": "vggface2", "root": str(people), "needs": ["identity"]}
    assert split_names(spec) == ("train", "val", "test")
    test = open_examples({**spec, "rename": {"identity": "person"}}, "test")
    assert test.columns["person"] == ("n000001",)
    assert len(open_examples([spec, FACES], "test")) == 1 + 4
    assert origins([spec, FACES]) == ["vggface2", "synthetic"]


def test_a_published_part_of_a_list_may_lack_the_split(people: Path) -> None:
    shutil.rmtree(people / "test")
    spec = {"dataset": "vggface2", "root": str(people), "needs": ["identity"]}
    with pytest.raises(DataError, match="no examples in split 'test'"):
        open_examples(spec, "test")
    assert len(open_examples([spec, FACES], "test")) == 4


def test_a_list_joins_the_sources_that_have_the_split(tables: tuple[Path, Path]) -> None:
    spec = [{"table": tables[0]}, {"table": tables[1], "rename": {"years": "age"}}, FACES]
    assert split_names(spec) == ("train", "val", "test")
    assert open_examples(spec, "train").columns["age"][:2] == ("7", "7")
    assert len(open_examples(spec, "train")) == 2 + 4
    assert len(open_examples(spec[:2], "val")) == 1
    with pytest.raises(DataError, match="no examples in split 'test'; known: train, val"):
        open_examples(spec[:2], "test")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"tabel": "x.csv"}, "data: unknown key 'tabel'; did you mean 'table'?"),
        (
            {"table": "x.csv", "folder": "x"},
            "give exactly one of table, folder, dataset, syn",
        ),
        ({"rename": {}}, "give exactly one of"),
        ([], "data: an empty list"),
        ({"synthetic": {"peple": 3}}, "synthetic: unknown key 'peple'; did you mean 'people'?"),
        ({"synthetic": {"people": 0}}, "synthetic faces: people is 0; give a whole number >= 1"),
        (
            {"dataset": "utkfaces", "root": "x"},
            "unknown dataset 'utkfaces'; did you mean 'utkface'",
        ),
        ({"dataset": "utkface"}, "dataset 'utkface' needs its folder: root is None"),
        ({"dataset": "utkface", "root": 3}, "root is 3"),
        (
            {"dataset": "adience", "root": "x", "fodl": 1},
            "unknown option 'fodl'; did you mean 'fold'",
        ),
        ({"dataset": "adience", "root": "x", "table": "y"}, "give exactly one of"),
        ({"dataset": "adience", "root": "/none"}, "adience: /none: no such folder"),
        ({"dataset": ["adience"], "root": "x"}, "unknown dataset"),
        ({"adience": "x", "fold": 0}, "unknown key 'adience'; give dataset: adience, root: DIR"),
        ({"root": "x"}, "unknown key 'root'"),
        ({"root": "x", "datset": "lfw"}, "unknown key 'datset'; did you mean 'dataset'"),
        ("none.csv", r"none\.csv: No such file"),
        ({"table": None}, "table is None; give the path of a CSV"),
        ({"table": "a\0b"}, "table is .*; give the path of a CSV"),
        ({"folder": ["x"]}, "folder is .*; give the path of a folder"),
        ({"synthetic": True}, "synthetic is True; give {people"),
        ({"table": "x.csv", "rename": ["label"]}, "rename is .*; give new names by old ones"),
        ({"table": "x.csv", "rename": {"label": 3}}, "rename is .*; give new names by old ones"),
        (5, "data: 5; name a table or folder"),
    ],
)
def test_a_wrong_spec_is_refused(spec: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_examples(spec, "train")


def test_one_source_without_the_split_names_those_it_has(table: Callable[..., Path]) -> None:
    with pytest.raises(DataError, match="known: train"):
        open_examples(table("path,split", "0.png,train"), "val")


def test_origins_are_names_and_no_places_on_this_machine(tables: tuple[Path, Path]) -> None:
    assert origins([{"table": str(tables[0])}, FACES]) == ["a/labels.csv", "synthetic"]
