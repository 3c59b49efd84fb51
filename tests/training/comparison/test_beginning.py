"""A comparison learns its first task once for all runs in which it comes out the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from paenet import packfile, training
from paenet.training.algorithm import stages
from paenet.training.comparison import beginning
from paenet.training.comparison.terms import on_equal_terms
from paenet.training.errors import RunError
from paenet.training.recipe.recipe import Recipe
from paenet.training.records.progress import Silent
from tests.training import toys

ORDERS = [["a", "b", "c"], ["a", "c", "b"]]


@pytest.fixture
def recipe(faces: Path) -> Recipe:
    return toys.recipe(*(toys.task(name, faces) for name in "abc"))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each stage is trained."""
    counts: Counter[str] = Counter()
    fit = stages.fit

    def counted(stage: Any, *arguments: Any, **keywords: Any) -> float:
        counts[stage.key] += 1
        return fit(stage, *arguments, **keywords)

    monkeypatch.setattr(stages, "fit", counted)
    return counts


def _begin(recipe: Recipe, folder: Path, comparison: Path) -> None:
    beginning.begin(recipe, folder, comparison, limit=None, cache=None, reporter=Silent())


def test_runs_of_methods_that_prune_alike_share_it(
    recipe: Recipe, tmp_path: Path, trained: Counter[str]
) -> None:
    training.compare(recipe, ["pae", "pae-all", "cpg"], tmp_path, orders=ORDERS)
    assert trained["a/train"] == 1
    assert trained["b/train"] == trained["c/train"] == 6


@pytest.mark.parametrize("name", ["pae", "packnet", "features", "progressive"])
def test_a_run_ends_as_one_that_learnt_it_itself(
    name: str, recipe: Recipe, tmp_path: Path, trained: Counter[str]
) -> None:
    shared = training.compare(recipe, [name], tmp_path / "shared")["methods"][name]
    path = training.run(on_equal_terms(recipe, name), tmp_path / "alone")
    alone = {task["name"]: task["fingerprint"] for task in packfile.describe(path)["tasks"]}
    (run,) = shared["runs"]
    assert run["fingerprints"] == alone
    assert run["seconds"] > 0
    assert trained["a/train"] == 2


def test_another_seed_or_budget_has_another_one(
    recipe: Recipe, tmp_path: Path, trained: Counter[str]
) -> None:
    training.compare(recipe, ["pae"], tmp_path, seeds=[0, 1])
    assert trained["a/train"] == 2
    training.compare(recipe, ["pae-all"], tmp_path, rates={"pae-all": 0.5})
    assert trained["a/train"] == 3


def test_a_run_killed_while_it_takes_the_task_over_begins_again(
    recipe: Recipe, tmp_path: Path, trained: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "pae" / "run"
    with monkeypatch.context() as patch:
        patch.setattr(beginning, "RECORD", "none")  # what is not there cannot be copied
        with pytest.raises(FileNotFoundError):
            _begin(recipe, folder, tmp_path)
    assert [path.name for path in folder.iterdir()] == ["pack.pae"]
    _begin(recipe, folder, tmp_path)
    path = training.run(recipe, folder)
    assert len(packfile.describe(path)["tasks"]) == 3
    assert trained["a/train"] == 1


def test_a_run_that_has_begun_is_left_alone(recipe: Recipe, tmp_path: Path) -> None:
    folder = tmp_path / "pae" / "run"
    training.run(recipe, folder)
    before = toys.entries(folder)
    _begin(recipe, folder, tmp_path)
    assert toys.entries(folder) == before
    assert not (tmp_path / beginning.FOLDER).exists()


def test_what_keeps_it_from_being_learnt_is_told_of_every_run(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*arguments: Any, **keywords: Any) -> float:
        raise RunError("the loss is nan")

    monkeypatch.setattr(stages, "fit", fit)
    with pytest.raises(RunError, match="no method came to its end; pae: the loss is nan"):
        training.compare(recipe, ["pae", "cpg"], tmp_path)
