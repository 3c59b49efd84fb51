"""A task judged on a person's own pictures: figures, their intervals, and what was left out."""

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.answers import OWN, document, refusal
from tests.cli.conftest import Pae
from tests.datasets.published.trees import put_lines
from tests.training import toys


def test_metrics_come_with_their_interval_and_their_count(
    learnt: Path, faces: Path, pae: Pae
) -> None:
    done = pae("eval", learnt, "--task", "shade", "--data", faces, *OWN)
    assert done.code == 0
    assert done.err == ""
    assert f"shade on {faces} (test)\n" in done.out
    found = document(pae("eval", learnt, "--task", "shade", "--data", faces, *OWN, "--json"))
    lines = [line.split() for line in done.out.splitlines()]
    for name, metric in found["metrics"].items():
        line = next(line for line in lines if line[:1] == [name])
        value, low, high = (100 * metric[key] for key in ("value", "low", "high"))
        assert line[1:] == [f"{value:.1f}", "%", f"({low:.1f}–{high:.1f})", str(metric["count"])]


def test_the_test_split_gives_what_is_kept_in_the_pack(learnt: Path, faces: Path, pae: Pae) -> None:
    found = document(pae("eval", learnt, "--task", "shade", "--data", faces, *OWN, "--json"))
    assert found["metrics"] == toys.entries(learnt.parent)["shade/learnt"]["test"]
    assert {key: found[key] for key in ("task", "data", "split", "count", "broken")} == {
        "task": "shade",
        "data": str(faces),
        "split": "test",
        "count": toys.PEOPLE["test"] * toys.PICTURES,
        "broken": [],
    }


@pytest.mark.parametrize(
    ("options", "split", "count"),
    [
        (["--split", "val"], "val", toys.PEOPLE["val"] * toys.PICTURES),
        (["--split", "all"], None, sum(toys.PEOPLE.values()) * toys.PICTURES),
        (["--limit", "5"], "test", 5),
    ],
)
def test_a_person_says_which_examples(
    options: list[str], split: str | None, count: int, learnt: Path, faces: Path, pae: Pae
) -> None:
    done = pae("eval", learnt, "--task", "shade", "--data", faces, *OWN, "--json", *options)
    found = document(done)
    assert (found["split"], found["count"]) == (split, count)
    assert found["metrics"]["accuracy"]["count"] == count


def test_the_column_may_have_another_name(learnt: Path, faces: Path, pae: Pae) -> None:
    table = faces.with_name("renamed.csv")
    names = {"shade": "look"}
    rows = [{names.get(k, k): v for k, v in row.items()} for row in toys.read_csv(faces)]
    toys.write_csv(table, rows)
    arguments = ("eval", learnt, "--task", "shade", "--data", table, *OWN, "--json")
    refusal(pae(*arguments), table, "no column 'shade'")
    assert document(pae(*arguments, "--label", "look"))["count"] == 36


def test_an_identity_is_judged_on_pairs(pack: Path, faces: Path, pae: Pae) -> None:
    arguments = ("eval", pack, "--task", "base", "--data", toys.pairs(faces), *OWN)
    found = document(pae(*arguments, "--json"))
    assert found["count"] == found["metrics"]["pairs"]["count"] == 24
    assert list(found["metrics"]) == ["pairs", "pairs_mean_subtracted"]
    shown = pae(*arguments).out
    assert "pairs_mean_subtracted" in shown
    threshold = found["metrics"]["pairs"]["threshold"]
    assert f"pairs: one person from a cosine of {threshold:.3f} on" in shown
    assert "(test)" not in shown
    assert document(pae(*arguments, "--limit", "12", "--json"))["count"] == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "val"], "its pairs have no splits and no labels"),
        (["--label", "shade"], "its pairs have no splits and no labels"),
        (["--dataset", "adience"], "give a pairs file or the folder of LFW, no more"),
        (["--dataset", "lfw", "--option", "fold=1"], "give a pairs file or the folder of LFW"),
    ],
)
def test_what_pairs_do_not_have_is_not_passed_over(
    options: list[str], message: str, pack: Path, faces: Path, pae: Pae
) -> None:
    arguments = ("eval", pack, "--task", "base", "--data", toys.pairs(faces), *OWN, *options)
    refusal(pae(*arguments), "base: is an identity", message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "shadow"], "pack.pae: has no task 'shadow'; did you mean 'shade'?"),
        (["--task", "shade", "--split", "tset"], "no examples in split 'tset'"),
        (["--task", "shade", "--label", "shdae"], "no column 'shdae'; did you mean 'shade'?"),
        (["--task", "shade", "--label", "age"], "is not a class; known: dark, light"),
    ],
)
def test_what_cannot_be_judged_is_said(
    arguments: list[str], message: str, learnt: Path, faces: Path, pae: Pae
) -> None:
    refusal(pae("eval", learnt, "--data", faces, *arguments, *OWN), message)


def test_data_that_is_absent_or_not_of_its_kind_is_named(
    pack: Path, learnt: Path, faces: Path, pae: Pae, tmp_path: Path
) -> None:
    absent = tmp_path / "absent.csv"
    refusal(pae("eval", learnt, "--task", "shade", "--data", absent, *OWN), absent)
    refusal(pae("eval", pack, "--task", "base", "--data", faces, *OWN), faces, "no column 'fold'")


def test_broken_images_are_counted_and_the_first_is_named(
    learnt: Path, pae: Pae, tmp_path: Path
) -> None:
    table = toys.table(tmp_path)
    rows = [row for row in toys.read_csv(table) if row["split"] == "test"]
    rows = [dict(row) for _ in range(3) for row in rows]  # 108 of them
    rows[4]["path"] = "test/gone.png"
    toys.write_csv(table, rows)
    arguments = ("eval", learnt, "--task", "shade", "--data", table, *OWN)
    done = pae(*arguments)
    assert done.code == 0
    assert "1 broken images left out, the first: test/gone.png: " in done.out
    found = document(pae(*arguments, "--json"))
    assert found["count"] == 107
    assert [path for path, _ in found["broken"]] == ["test/gone.png"]


def test_an_image_folder_is_judged_by_the_names_of_its_folders(
    learnt: Path, pae: Pae, tmp_path: Path
) -> None:
    for name, value in (("dark", 40), ("light", 160)):
        for number in range(2):
            path = tmp_path / "pictures" / "test" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (toys.SIZE, toys.SIZE), (value,) * 3).save(path)
    arguments = ("eval", learnt, "--task", "shade", "--data", tmp_path / "pictures", *OWN)
    assert document(pae(*arguments, "--label", "label", "--json"))["count"] == 4
    refusal(pae(*arguments), tmp_path / "pictures", "no column 'shade'; known: label, split")


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """CIFAR-100 with two groups that the task knows, and a record that is none."""
    root = tmp_path / "cifar"
    groups = ["dark", "light", *(f"group {n}" for n in range(18))]
    put_lines(root / "coarse_label_names.txt", *groups)
    put_lines(root / "fine_label_names.txt", *(f"thing {n}" for n in range(100)))
    records = [bytes([n % 2, 0]) + bytes([60 + 120 * (n % 2)] * 3072) for n in range(10)]
    (root / "train.bin").write_bytes(b"")
    (root / "test.bin").write_bytes(b"".join(records) + bytes([200, 0]) + bytes(3072))
    return root


def test_a_published_data_set_is_judged_with_its_options(
    learnt: Path, cifar: Path, pae: Pae
) -> None:
    ask = ("eval", learnt, "--task", "shade", "--data", cifar, "--label", "coarse", *OWN)
    published = ("--dataset", "cifar100", "--option", "needs=[coarse, fine]")
    found = document(pae(*ask, *published, "--json"))
    assert found["data"] == {
        "dataset": "cifar100",
        "root": str(cifar),
        "needs": ["coarse", "fine"],
    }
    assert found["count"] == 10
    assert found["skipped"]["rows"] == 1
    shown = pae(*ask, *published).out
    assert f"shade on cifar100 in {cifar} (test)\n" in shown
    assert "1 row is left out: 1 × coarse 200 (first: test.bin record 11)" in shown
    refusal(pae(*ask, "--dataset", "cifar10"), "did you mean 'cifar100'?")
    refusal(pae(*ask, *published, "--option", "corse=fish"), "did you mean 'coarse'?")
    refusal(pae(*ask, "--option", "coarse=fish"), "name it with --dataset")
    refusal(pae(*ask, "--dataset", "cifar100", "--option", "root=x"), "'root=x' is no option")
