"""Published data sets are listed with their terms, and a folder that has one is looked into."""

from pathlib import Path

import pytest

from paenet.datasets import PUBLISHED
from tests.cli.answers import document, refusal
from tests.cli.conftest import Pae
from tests.datasets.published.trees import put_images, put_lines

HEADER = "file,age,gender,race,service_test"


@pytest.fixture
def fairface(tmp_path: Path) -> Path:
    put_images(tmp_path, [f"{part}/{n}.jpg" for part in ("train", "val") for n in range(4)])
    for part in ("train", "val"):
        rows = [f"{part}/{n}.jpg,20-29,{('Male', 'Female')[n % 2]},White,True" for n in range(3)]
        odd = [f"{part}/3.jpg,100,Male,White,True", f"{part}/9.jpg,20-29,Male,White,True"]
        put_lines(tmp_path / f"fairface_label_{part}.csv", HEADER, *rows, *odd)
    return tmp_path


def test_all_are_listed_with_where_to_get_them_and_their_terms(pae: Pae) -> None:
    found = document(pae("datasets", "--json"))
    assert [entry["name"] for entry in found] == list(PUBLISHED)
    by_name = {entry["name"]: entry for entry in found}
    assert by_name["fairface"]["terms"] == "CC BY 4.0"
    assert by_name["utkface"]["paper"] == ""
    assert by_name["adience"]["options"] == {
        "fold": 0,
        "images": "faces",
        "needs": ["identity", "age", "gender"],
    }
    shown = pae("datasets").out
    for name, entry in PUBLISHED.items():
        assert f" {name} " in shown
        assert entry.title.split()[0] in shown


def test_a_check_counts_examples_and_names_what_is_left_out(pae: Pae, fairface: Path) -> None:
    found = document(pae("datasets", "check", "fairface", fairface, "--json"))
    assert sum(found["examples"].values()) == 6
    assert found["examples"]["test"] == 3
    assert found["labels"]["gender"]["values"]["female"]["test"] == 1
    assert found["skipped"] == {
        "rows": 4,
        "summary": found["skipped"]["summary"],
        "reasons": [
            {
                "reason": reason,
                "rows": 2,
                "first": [f"fairface_label_{part}.csv line {line}" for part in ("train", "val")],
            }
            for reason, line in (("no such image", 6), ("age '100'", 5))
        ],
    }
    shown = pae("datasets", "check", "fairface", fairface).out
    assert "Left out: 4 rows" in shown
    assert "fairface_label_train.csv line 5" in shown
    assert "gender: female" in shown


def test_options_are_those_of_a_recipe(pae: Pae, fairface: Path) -> None:
    ask = ("datasets", "check", "fairface", fairface, "--json")
    found = document(pae(*ask, "needs=[gender, race]"))
    assert found["options"] == {"needs": ["gender", "race"]}
    assert sum(found["examples"].values()) == 8
    assert document(pae(*ask, "needs=gender"))["skipped"]["rows"] == 2
    assert "age: unknown" in pae("datasets", "check", "fairface", fairface, "needs=gender").out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("fairfase",), ("unknown dataset 'fairfase'", "did you mean 'fairface'?")),
        (("fairface", "neds=age"), ("unknown option 'neds'", "did you mean 'needs'?")),
        (("fairface", "needs"), ("'needs' is no option; give KEY=VALUE",)),
        (("fairface", "root=x"), ("'root=x' is no option",)),
        (("fairface", "needs=[age"), ("not YAML",)),
        (("fairface", "needs=[1]"), ("needs is [1]; give a list of age, gender, race",)),
        (("adience",), ("fold_0_data.txt: No such file", "put the data set's label file there")),
    ],
)
def test_what_cannot_be_read_is_refused(
    arguments: tuple[str, ...], parts: tuple[str, ...], pae: Pae, fairface: Path
) -> None:
    name, *options = arguments
    refusal(pae("datasets", "check", name, fairface, *options), *parts)


def test_a_folder_in_order_has_nothing_left_out(pae: Pae, tmp_path: Path) -> None:
    put_images(tmp_path, ["Bo/Bo_0001.jpg", "Bo/Bo_0002.jpg", "Cy/Cy_0001.jpg"])
    put_lines(tmp_path / "pairs.txt", "1\t1", "Bo\t1\t2", "Bo\t1\tCy\t1")
    shown = pae("datasets", "check", "lfw", tmp_path).out
    assert "2 pairs in 1 folds, 1 of them of one person." in shown
    assert "Nothing is left out." in shown
