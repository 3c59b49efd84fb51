"""A goal within a reference: trained for one task alone, once, and kept by all it depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from filelock import FileLock
from safetensors.torch import save_file

from paenet import packfile, training
from paenet.tasks import TaskError
from paenet.training import RecipeError, Silent
from tests.training import toys


def within(name: str, table: Path, share: float = 0.5, **keys: Any) -> dict[str, Any]:
    return toys.task(name, table, goal={"within": share}, **keys)


class Stages(Silent):
    """Hears which stages are trained."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        self.begun.append(key)


def stages(recipe: training.Recipe, folder: Path, cache: Path) -> list[str]:
    """The stages that a run trains."""
    heard = Stages()
    training.run(recipe, folder, cache=cache, reporter=heard)
    return heard.begun


def test_a_goal_within_a_reference_is_so_far_below_what_the_reference_reaches(
    faces: Path, tmp_path: Path
) -> None:
    plan = toys.task(
        "a",
        faces,
        goal={"within": 0.25, "missed": "keep"},
        reference={"epochs": 4, "batch": 16, "rate": 0.01},
    )
    training.run(toys.recipe(plan), tmp_path)
    entries = toys.entries(tmp_path)
    found, goal = entries["a/reference"], entries["a/learnt"]["goal"]
    assert goal["threshold"] == found["val"]["accuracy"]["value"] - 0.25
    assert goal["reference"] == {key: found[key] for key in ("val", "test", "epochs")}
    assert found["epochs"] == 4
    assert found["test"]["accuracy"]["count"] == 36
    assert goal["within"] == 0.25


def test_a_run_waits_for_the_reference_that_another_one_trains(faces: Path, tmp_path: Path) -> None:
    recipe, cache = toys.recipe(within("a", faces)), tmp_path / "cache"
    stages(recipe, tmp_path / "one", cache)
    (kept,) = (cache / "references").glob("*.json")
    content = kept.read_text()
    kept.unlink()
    lock = FileLock(kept.with_suffix(".lock"))

    class Ends(Stages):
        """Hears that it has to wait, and ends the other run."""

        def say(self, text: str) -> None:
            if text == "a: another run trains the network that its goal is measured by":
                kept.write_text(content)
                lock.release()

    heard = Ends()
    with lock:
        training.run(recipe, tmp_path / "two", cache=cache, reporter=heard)
    assert kept.read_text() == content
    assert heard.begun
    assert not any("reference" in key for key in heard.begun)


def test_a_reference_is_trained_once_for_all_runs(faces: Path, tmp_path: Path) -> None:
    recipe, cache = toys.recipe(within("a", faces)), tmp_path / "cache"
    first = stages(recipe, tmp_path / "one", cache)
    again = stages(recipe, tmp_path / "two", cache)
    assert first == ["a/reference-train", *again]
    assert "a/train" in again
    assert toys.fingerprints(tmp_path / "one/pack.pae") == toys.fingerprints(
        tmp_path / "two/pack.pae"
    )
    method = toys.recipe(within("a", faces), method="packnet")  # it is the same for all methods
    assert "a/reference-train" not in stages(method, tmp_path / "three", cache)


@pytest.mark.parametrize("change", ["seed", "budget", "label", "image of the test split"])
def test_what_a_reference_depends_on_makes_a_new_one(change: str, tmp_path: Path) -> None:
    table, cache = toys.table(tmp_path / "data"), tmp_path / "cache"
    stages(toys.recipe(within("a", table)), tmp_path / "one", cache)
    plan, keys = within("a", table), {}
    if change == "seed":
        keys = {"seed": 1}
    elif change == "budget":
        plan["budget"] = {"epochs": 2, "batch": 16, "rate": 0.01}
    else:
        rows = toys.read_csv(table)
        if change == "label":
            rows[0]["shade"] = "light"
            toys.write_csv(table, rows)
        else:
            image = table.parent / rows[-1]["path"]
            image.write_bytes((table.parent / rows[0]["path"]).read_bytes())
    begun = stages(toys.recipe(plan, **keys), tmp_path / "two", cache)
    assert begun[0] == "a/reference-train"


def test_what_networks_see_makes_a_new_one(tmp_path: Path) -> None:
    table, begun = toys.table(tmp_path / "data"), []
    for scale in (128.0, 64.0):
        pack = tmp_path / f"{scale}.pae"
        training.init(pack, toys.BACKBONE)
        held = packfile.read(pack, backbone=toys.tiny)
        view = {"size": toys.SIZE, "mean": 127.5, "scale": scale}
        packfile.write(held.pack, pack, backbone=held.spec, about={"input": view, "weights": None})
        plan = tmp_path / f"{scale}.yaml"
        plan.write_text(yaml.safe_dump(within("a", table)))
        heard = Stages()
        training.add(pack, plan, backbone=toys.BACKBONE, cache=tmp_path / "cache", reporter=heard)
        begun.append(heard.begun[0])
    assert begun == ["a/reference-train"] * 2


def test_a_killed_reference_is_gone_on_with(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mortal(Stages):
        def advance(self, loss: float) -> None:
            raise KeyboardInterrupt

    recipe = toys.recipe(within("a", faces))
    with pytest.raises(KeyboardInterrupt):
        training.run(recipe, tmp_path / "killed", cache=tmp_path / "1", reporter=Mortal())
    stages(recipe, tmp_path / "killed", tmp_path / "1")
    stages(recipe, tmp_path / "whole", tmp_path / "2")
    one, other = (toys.entries(tmp_path / run)["a/reference"] for run in ("killed", "whole"))
    assert (one["val"], one["test"]) == (other["val"], other["test"])
    assert not list((tmp_path / "killed").glob("*.safetensors"))


def test_a_distilled_task_is_held_against_its_teacher(faces: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "tiny.safetensors"
    save_file({k: v.contiguous() for k, v in toys.tiny().state_dict().items()}, weights)
    task = {
        **within("identity", faces, 0.2),
        "kind": "identity",
        "settings": {"objective": "distill"},
        "pairs": str(toys.pairs(faces, tmp_path.parent / faces.parent.name / "pairs.csv")),
    }
    begun = stages(toys.recipe(task, weights=str(weights)), tmp_path / "run", tmp_path / "cache")
    assert "identity/reference-train" not in begun
    learnt = toys.entries(tmp_path / "run")["identity/learnt"]
    assert learnt["goal"]["reference"]["val"]["agreement"]["value"] == pytest.approx(1)
    assert learnt["goal"]["threshold"] == pytest.approx(0.8)
    assert set(learnt["test"]) == {"agreement", "pairs", "pairs_mean_subtracted"}
    assert learnt["test"]["pairs"]["count"] == 24


def test_other_pairs_make_a_new_reference(faces: Path, tmp_path: Path) -> None:
    pairs = toys.pairs(faces, faces.parent / "some.csv")
    settings = {"objective": "softmax"}
    plan = within("id", faces, 1.0) | {"kind": "identity", "settings": settings}
    recipe, cache = toys.recipe(plan | {"pairs": str(pairs)}), tmp_path / "cache"
    stages(recipe, tmp_path / "one", cache)
    assert stages(recipe, tmp_path / "two", cache)[0] != "id/reference-train"
    toys.write_csv(pairs, toys.read_csv(pairs)[:-4])
    assert stages(recipe, tmp_path / "three", cache)[0] == "id/reference-train"


def test_distilling_without_a_trained_network_is_refused(faces: Path, tmp_path: Path) -> None:
    task = {**toys.task("identity", faces), "kind": "identity", "settings": {}}
    with pytest.raises(RecipeError, match=r"task 'identity': distilling needs .* key 'weights'"):
        training.run(toys.recipe(toys.task("a", faces), task), tmp_path)
    assert "a/train" not in toys.entries(tmp_path)


@pytest.mark.parametrize("split", ["val", "test"])
def test_people_that_make_no_pairs_are_refused_before_anything_is_trained(
    split: str, tmp_path: Path
) -> None:
    table = toys.table(tmp_path / "data")
    rows = toys.read_csv(table)
    toys.write_csv(
        table, [row | {"identity": "one"} if row["split"] == split else row for row in rows]
    )
    identity = toys.task("id", table, kind="identity", settings={"objective": "softmax"})
    with pytest.raises(TaskError, match="verification needs four people"):
        training.run(toys.recipe(toys.task("a", table), identity), tmp_path / "run")
    assert "a/train" not in toys.entries(tmp_path / "run")


def test_a_part_of_the_data_without_pairs_is_refused_before_anything_is_trained(
    faces: Path, tmp_path: Path
) -> None:
    identity = toys.task("id", faces, kind="identity", settings={"objective": "softmax"})
    with pytest.raises(TaskError, match=r"verification needs four people.*; raise --limit"):
        training.run(toys.recipe(identity), tmp_path / "run", limit=3)
    assert "id/train" not in toys.entries(tmp_path / "run")


def test_pairs_that_leave_no_fold_to_choose_by_are_refused_before_anything_is_trained(
    faces: Path, tmp_path: Path
) -> None:
    rows = toys.read_csv(toys.pairs(faces, faces.parent / "several.csv"))
    one = toys.write_csv(faces.parent / "one.csv", [row | {"fold": "0"} for row in rows])
    settings = {"objective": "softmax"}
    task = toys.task("id", faces, kind="identity", settings=settings, pairs=str(one))
    with pytest.raises(TaskError, match=r"pairs are in 1 fold; .* so give two"):
        training.run(toys.recipe(toys.task("a", faces), task), tmp_path)
    assert "a/train" not in toys.entries(tmp_path)
