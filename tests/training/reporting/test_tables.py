"""Runs in the paper's tables: means over folds, sizes as the paper counts, published rows."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from statistics import stdev
from types import MappingProxyType
from typing import Any

import pytest
import torch
from torch import nn

from paenet import packfile, training
from paenet.packfile import BackboneSpec
from paenet.packing import Pack, weights_at
from paenet.training import RunError
from paenet.training.reporting.literature import rows_beside
from tests.training import toys


def metric(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "unit": "share"}


def notes(
    data: str, alone: float | None = None, metric_name: str = "accuracy", **test: float
) -> dict[str, Any]:
    """What a run keeps of a task, as far as a report reads it."""
    reference = None if alone is None else {"test": {metric_name: metric(alone)}}
    return {
        "goal": {"metric": metric_name, "reference": reference},
        "test": {name: metric(value) for name, value in test.items()},
        "data": {"sources": [data]},
        "method": "pae",
    }


def put(
    folder: Path,
    release: float = 0.5,
    widths: Mapping[str, float] = MappingProxyType({}),
    **tasks: dict[str, Any],
) -> Path:
    """A run's directory with a pack of tasks that nobody has trained, some of them widened."""
    pack = Pack(toys.tiny, example=torch.zeros(1, 3, toys.SIZE, toys.SIZE))
    for name, about in tasks.items():
        learner = pack.learn(name, head=nn.Linear(toys.FEATURES, 2), sees="base")
        if name in widths:
            learner.widen(widths[name])
        learner.prune(to=release)
        learner.freeze().notes = about
    folder.mkdir(parents=True)
    packfile.write(pack, folder / "pack.pae", backbone=BackboneSpec(toys.BACKBONE, {}))
    return folder


def report(*runs: Path) -> dict[str, Any]:
    return training.report(runs, backbone=toys.BACKBONE)


def test_over_folds_a_figure_is_the_mean_with_its_deviation(tmp_path: Path) -> None:
    runs = [
        put(tmp_path / str(fold), gender=notes("adience", value + 0.05, accuracy=value))
        for fold, value in enumerate((0.8, 0.7, 0.9))
    ]
    own, alone, *_ = report(*runs)["rows"]
    assert own["model"] == "3 runs"
    assert own["accuracy"]["gender"] == pytest.approx({"value": 80, "deviation": 10})
    assert alone["accuracy"]["gender"] == pytest.approx({"value": 85, "deviation": 10})


def test_a_task_that_was_copied_into_every_run_has_the_interval_of_one(tmp_path: Path) -> None:
    runs = [put(tmp_path / fold, identity=notes("lfw", accuracy=0.8)) for fold in "ab"]
    row = report(*runs)["rows"][0]
    assert row["accuracy"]["identity"] == pytest.approx({"value": 80, "low": 70, "high": 90})


def test_one_run_has_its_interval(tmp_path: Path) -> None:
    row = report(put(tmp_path / "run", gender=notes("adience", accuracy=0.8)))["rows"][0]
    assert row["accuracy"]["gender"] == pytest.approx({"value": 80, "low": 70, "high": 90})


def test_sizes_are_in_the_papers_accounting_and_add_up(tmp_path: Path) -> None:
    tasks = {name: notes("adience", accuracy=0.8) for name in ("identity", "gender", "age")}
    run = put(tmp_path / "run", **tasks)
    account = packfile.accounting(packfile.read(run / "pack.pae", backbone=toys.tiny))
    own, alone, *_ = report(run)["rows"]
    size = {name: task["paper_mib"] for name, task in account["tasks"].items()}
    assert own["mb"] == {name: {"value": value} for name, value in size.items()}
    assert list(own["together"]) == [
        "identity + gender",
        "identity + age",
        "identity + gender + age",
    ]
    assert own["together"]["identity + age"]["mb"] == size["identity"] + size["age"]
    whole = own["together"]["identity + gender + age"]
    assert whole["mb"] == pytest.approx(account["paper_mib"])
    assert whole["share"] == pytest.approx(100 * account["of_separate"])
    assert alone["together"]["identity + gender + age"]["share"] == pytest.approx(100)


def test_published_rows_are_of_the_same_module_on_the_same_data(tmp_path: Path) -> None:
    run = put(tmp_path / "run", gender=notes("fotw", accuracy=0.8), mood=notes("x", accuracy=1.0))
    document = report(run)
    models = [(row["model"], row["source"]) for row in document["rows"][2:]]
    assert models == [
        ("GenderNet", "pae-files"),
        ("PAENet", "pae"),
        ("PAENet", "pae-files"),
        ("PAENet", "pae-files-last"),
    ]
    assert document["rows"][3]["accuracy"] == {"gender": {"value": 92.93}}
    assert list(document["sources"]) == ["pae", "pae-files", "pae-files-last"]


def test_published_parts_are_added_up_where_no_sum_is_published(tmp_path: Path) -> None:
    tasks = {name: notes("adience", accuracy=0.8) for name in ("gender", "age")}
    identity = notes("vggface2", None, "verification", pairs=0.9)
    rows = report(put(tmp_path / "run", identity=identity, **tasks))["rows"]
    found = {row["source"]: row["together"] for row in rows if row["model"] == "PAENet"}
    assert found["pae"] == {"identity + gender + age": {"mb": 97.8}}
    files = found["pae-files"]
    assert files["identity + age"]["mb"] == pytest.approx(68.931 + 15.238, abs=0.001)
    assert files["identity + gender + age"]["mb"] == pytest.approx(97.808, abs=0.001)


def test_the_method_is_that_of_the_tasks_after_the_first(tmp_path: Path) -> None:
    tasks = {name: notes("adience", 0.9, accuracy=0.8) for name in ("first", "second")}
    tasks["second"]["method"] = "cpg"
    assert report(put(tmp_path / "run", **tasks))["method"] == "cpg"


def test_identity_is_what_face_pairs_say_where_there_are_any(tmp_path: Path) -> None:
    tested = {"verification": 0.5, "pairs": 0.8, "pairs_mean_subtracted": 0.9}
    run = put(tmp_path / "run", identity=notes("vggface2", None, "verification", **tested))
    document = report(run)
    assert document["columns"] == [
        {
            "module": "identity",
            "data": "lfw",
            "metric": "pairs_mean_subtracted",
            "unit": "share",
        }
    ]
    assert document["rows"][0]["accuracy"]["identity"]["value"] == pytest.approx(90)


def test_pairs_of_ones_own_stand_beside_no_published_ones(tmp_path: Path) -> None:
    about = notes("vggface2", None, "verification", pairs=0.8)
    about["data"]["pairs"] = "mine"
    document = report(put(tmp_path / "run", identity=about))
    assert document["columns"][0]["data"] == "mine"
    assert not any(row["source"] for row in document["rows"])


def test_the_tasks_of_cifar100_have_a_mean_and_the_weights_of_the_network(tmp_path: Path) -> None:
    run = put(
        tmp_path / "run",
        **{name: notes("cifar100", accuracy=value) for name, value in (("a", 0.5), ("b", 0.7))},
    )
    own, alone, *others = report(run)["rows"]
    assert own["average"] == pytest.approx(60)
    assert own["weights"] == 1
    assert alone["weights"] == 2
    assert not others  # of tasks of these names nothing is published


@pytest.mark.parametrize("letters", [None, "abcdefghijklmnopqrst"])
def test_beside_the_twenty_tasks_of_cifar100_stands_what_is_published_of_all(
    letters: str | None,
) -> None:
    figures = training.published_figures()
    names = letters or figures["cifar100_tasks"]
    rows = rows_beside(dict.fromkeys(names, "cifar100"), cifar100=True)
    assert [row["average"] for row in rows] == [row["accuracy"] for row in figures["cifar100"]]
    assert [row.get("weights") for row in rows] == [r.get("weights") for r in figures["cifar100"]]
    assert rows[-1]["accuracy"][names[1]] == {"value": 76.6}


def test_beside_a_part_of_them_stand_published_means_of_the_same_tasks(tmp_path: Path) -> None:
    tasks = {name: notes("cifar100", accuracy=0.5) for name in ("vehicles_2", "fish")}
    _, _, *rows = report(put(tmp_path / "run", **tasks))["rows"]
    assert {row["source"] for row in rows} == {"cpg-files"}
    cpg = next(row for row in rows if row["model"] == "CPG")
    assert cpg["accuracy"] == {"fish": {"value": 76.6}, "vehicles_2": {"value": 94.8}}
    assert cpg["average"] == pytest.approx((76.6 + 94.8) / 2)
    assert "weights" not in cpg


def test_published_means_are_left_out_beside_a_task_that_none_is_known_of(tmp_path: Path) -> None:
    tasks = {name: notes("cifar100", accuracy=0.5) for name in ("fish", "mine")}
    _, _, *rows = report(put(tmp_path / "run", **tasks))["rows"]
    assert [list(row["accuracy"]) for row in rows] == [["fish"]] * 3
    assert not any("average" in row for row in rows)


def test_the_recipe_names_the_tasks_of_cifar100_as_published_figures_do() -> None:
    path = Path(__file__).resolve().parents[3] / "recipes" / "cifar100-20tasks.yaml"
    names = [task.name for task in training.load_recipe(path).tasks]
    assert names == sorted(names) == training.published_figures()["cifar100_tasks"]


def test_size_is_told_by_the_given_network_though_the_first_task_was_widened(
    tmp_path: Path,
) -> None:
    tasks = {name: notes("cifar100", accuracy=0.5) for name in "ab"}
    run = put(tmp_path / "run", 0, widths={"a": 1.5, "b": 2.0}, **tasks)
    pack = packfile.read(run / "pack.pae", backbone=toys.tiny).pack
    given, widest = (sum(weights_at(toys.tiny, width).values()) for width in (1.0, 2.0))
    assert pack.weights("a") + pack.weights("b") == widest
    own, alone, *_ = report(run)["rows"]
    assert own["weights"] == widest / given
    private = sum(p.numel() for p in toys.tiny(1.0).parameters()) - given
    size = 4 * (given + private + 2 * toys.FEATURES + 2) / 2**20
    assert alone["mb"] == {name: {"value": size} for name in "ab"}


def test_networks_of_their_own_share_nothing(tmp_path: Path) -> None:
    run = put(tmp_path / "run", 0, b=notes("cifar100", accuracy=0.5))
    (run / "pack.pae").rename(run / "b.pae")
    other = put(tmp_path / "other", 0, a=notes("cifar100", accuracy=0.7))
    (other / "pack.pae").rename(run / "a.pae")
    learnt = [{"key": f"{name}/learnt", "plan": "", "time": 0} for name in "ba"]
    (run / "record.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in learnt))
    found = report(run)
    assert [column["module"] for column in found["columns"]] == ["b", "a"]
    own, alone, *_ = found["rows"]
    assert own["weights"] == alone["weights"] == 2
    assert own["mb"] == alone["mb"]
    assert own["together"]["b + a"]["share"] == pytest.approx(100)


GENDER = notes("adience", accuracy=0.5)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"age": GENDER}, "two: tasks age by method pae, but .*one: tasks gender by method pae"),
        ({"gender": GENDER | {"method": "packnet"}}, "two: tasks gender by method packnet"),
    ],
)
def test_runs_of_other_experiments_are_refused(
    other: dict[str, Any], message: str, tmp_path: Path
) -> None:
    one, two = put(tmp_path / "one", gender=GENDER), put(tmp_path / "two", **other)
    with pytest.raises(RunError, match=message):
        report(one, two)


def test_a_directory_without_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no pack in it; give the directory of a run"):
        report(tmp_path)
    with pytest.raises(RunError, match="no run to report"):
        report()


def test_every_published_figure_names_its_source_and_is_possible() -> None:
    figures = training.published_figures()
    rows = [*figures["modules"], *figures["together"], *figures["cifar100"]]
    assert {row["source"] for row in rows} == set(figures["sources"])
    for row in rows:
        assert 30 < row.get("accuracy", 50) < 100
        assert 0 < row.get("mb", 1) < 100
    for row in figures["cifar100"]:
        assert len(row.get("tasks", range(20))) == 20


def test_folds_of_the_authors_files_come_to_what_the_paper_says() -> None:
    figures = training.published_figures()["modules"]
    found: dict[tuple[str, str], dict[str, Any]] = {
        (row["module"], row["source"]): row
        for row in figures
        if row["model"] == "PAENet" and row["data"] == "adience"
    }
    age, gender = found["age", "pae-files"], found["gender", "pae-files"]
    assert age["accuracy"] == pytest.approx(found["age", "pae"]["accuracy"], abs=0.01)
    assert gender["accuracy"] == pytest.approx(found["gender", "pae"]["accuracy"], abs=0.01)
    assert age["deviation"] == pytest.approx(stdev(age["folds"]))


def test_sizes_of_the_authors_files_come_to_what_the_paper_says() -> None:
    figures = training.published_figures()
    first, second = figures["together"]
    own: dict[tuple[str, str], float] = {}
    alone: dict[tuple[str, str], float] = {}
    for row in figures["modules"]:
        if row["source"] == "pae-files":
            (own if row["model"] == "PAENet" else alone)[row["module"], row["data"]] = row["mb"]
    faces = [("identity", "lfw"), ("gender", "adience"), ("age", "adience")]
    assert sum(own[key] for key in faces) == pytest.approx(first["mb"], abs=0.05)
    faces = [("identity", "lfw"), ("expression", "affectnet"), ("gender", "fotw")]
    share = sum(own[key] for key in faces) / sum(alone[key] for key in faces)
    assert 100 * share == pytest.approx(second["share"], abs=0.05)
