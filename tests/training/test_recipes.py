"""The recipes that come with the project."""

from pathlib import Path

import pytest

from paenet.datasets import read_pairs
from paenet.training import load_recipe
from paenet.training.data import encode, split_examples
from paenet.training.material import SPLITS, make_task
from paenet.training.quickstart import quickstart_recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_says_nothing_that_its_tasks_do_not_know(path: Path) -> None:
    for plan in load_recipe(path).tasks:
        assert make_task(plan).kind == plan.kind


def test_the_quickstart_learns_the_four_tasks_of_its_faces() -> None:
    names = [plan.name for plan in quickstart_recipe().tasks]
    assert names == ["identity", "gender", "age", "expression"]


@pytest.mark.real
def test_every_label_of_the_faces_recipe_is_known(real_data: Path) -> None:
    path = next(path for path in RECIPES if path.stem == "faces")
    if real_data.resolve() != (path.parents[2] / "shared").resolve():
        pytest.skip(f"{path.name} names its data relative to the checkout, not {real_data}")
    for plan in load_recipe(path).tasks:
        for split in SPLITS:
            encode(make_task(plan), split_examples(plan, split))
        if plan.pairs is not None:
            assert len(read_pairs(plan.pairs).same) == 6000
