"""A task may be trained on other examples with its labels first, and its reference with it."""

from pathlib import Path
from typing import Any

import pytest

from paenet import packfile, training
from paenet.training import RecipeError
from paenet.training.algorithm import stages
from paenet.training.loop.fitting import Stage, Trainee
from tests.training import toys


def few(faces: Path) -> Path:
    """The table's training pictures of few people."""
    rows = [row for row in toys.read_csv(faces) if row["identity"] in ("train-1", "train-2")]
    return toys.write_csv(faces.parent / "few.csv", rows)


def test_it_comes_before_the_tasks_own_data_for_the_reference_too(
    faces: Path, tmp_path: Path
) -> None:
    budget = {"epochs": 2, "batch": 4, "rate": 0.003}
    task = toys.task(
        "shade",
        faces,
        pretrain={"data": {"table": str(few(faces))}, "budget": budget},
        goal={"within": 1.0},
    )
    path = training.run(toys.recipe(task), tmp_path / "run", cache=tmp_path / "cache")
    record = toys.entries(tmp_path / "run")
    keys = list(record)
    for before, after in (("pretrain", "train"), ("reference-pretrain", "reference-train")):
        assert keys.index(f"shade/{before}") < keys.index(f"shade/{after}")
    assert record["shade/learnt"]["examples"] == {
        "pretrain": 12,
        "train": 48,
        "val": 36,
        "test": 36,
    }
    notes = packfile.read(path, backbone=toys.tiny).pack.tasks["shade"].notes
    assert notes["data"]["pretrain"] == [f"{faces.parent.name}/few.csv"]
    assert not list((tmp_path / "run").glob("state-*")), "states of stages are left behind"


def test_it_changes_what_the_task_becomes_and_not_how_it_is_judged(
    faces: Path, tmp_path: Path
) -> None:
    other = {"data": {"table": str(few(faces))}, "budget": {"epochs": 1, "batch": 4}}
    found = []
    for name, keys in (("with", {"pretrain": other}), ("without", {})):
        recipe = toys.recipe(toys.task("shade", faces, **keys))
        path = training.run(recipe, tmp_path / name, cache=tmp_path / "cache")
        learnt = toys.entries(tmp_path / name)["shade/learnt"]
        counts = [learnt[split]["accuracy"]["count"] for split in ("val", "test")]
        found.append((toys.fingerprints(path)["shade"], counts))
    assert found[0][0] != found[1][0]
    assert found[0][1] == found[1][1] == [36, 36]


def test_an_identity_cannot_be_trained_on_other_people_first(faces: Path) -> None:
    task = toys.task("person", faces, kind="identity", settings={"objective": "softmax"})
    with pytest.raises(RecipeError, match=r"pretrain: other people are other classes"):
        toys.recipe({**task, "pretrain": {"data": {"table": str(faces)}}})


def test_classes_are_weighed_by_how_many_of_each_a_stage_learns_from(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = toys.read_csv(faces)
    light = [row for row in rows if row["split"] == "train" and row["shade"] == "light"]
    uneven = toys.write_csv(faces.parent / "uneven.csv", [r for r in rows if r not in light[4:]])
    weights: dict[str, list[float]] = {}

    def fit(stage: Stage, trainee: Trainee, *others: Any, **keys: Any) -> float:
        weights[stage.key] = trainee.criterion.weight.tolist()
        return plain(stage, trainee, *others, **keys)

    plain = stages.fit
    monkeypatch.setattr(stages, "fit", fit)
    task = toys.task(
        "shade",
        faces,
        settings={"classes": ["dark", "light"], "label": "shade", "class_weights": "balanced"},
        pretrain={"data": {"table": str(uneven)}},
    )
    training.run(toys.recipe(task), tmp_path / "run", cache=tmp_path / "cache")
    assert weights["shade/train"] == [1, 1]
    dark, light_ = weights["shade/pretrain"]
    assert light_ == pytest.approx(6 * dark)


def test_its_data_is_taken_relative_to_the_recipe(tmp_path: Path) -> None:
    task = toys.task("shade", Path("own.csv"), pretrain={"data": [{"table": "other.csv"}]})
    path = tmp_path / "toy.yaml"
    path.write_text(training.dump_recipe(toys.recipe(task)).replace(str(Path.cwd()) + "/", ""))
    plan = training.load_recipe(path).tasks[0]
    assert plan.pretrain is not None
    assert plan.data == {"table": str(tmp_path / "own.csv")}
    assert plan.pretrain.data == [{"table": str(tmp_path / "other.csv")}]
