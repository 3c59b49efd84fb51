"""One recipe serves every fold, and a first part of its tasks."""

from pathlib import Path

import pytest

from paenet.training import RecipeError, at_fold, up_to
from tests.training import toys

ADIENCE = {"dataset": "adience", "root": "/data/adience", "fold": 0}
FACES = Path("/data/faces.csv")


def test_every_data_set_with_folds_is_tested_on_the_fold() -> None:
    recipe = toys.recipe(
        toys.task("a", FACES),
        toys.task("b", FACES, data=ADIENCE),
        toys.task("c", FACES, data=[ADIENCE, {"table": "/x.csv"}], pretrain={"data": ADIENCE}),
    )
    a, b, c = at_fold(recipe, 3).tasks
    assert a == recipe.tasks[0]
    assert b.data == ADIENCE | {"fold": 3}
    assert c.data == [ADIENCE | {"fold": 3}, {"table": "/x.csv"}]
    assert c.pretrain is not None
    assert c.pretrain.data == ADIENCE | {"fold": 3}
    assert recipe.tasks[1].data == ADIENCE


def test_a_recipe_without_folds_refuses_one() -> None:
    with pytest.raises(RecipeError, match="no data set of the recipe has folds"):
        at_fold(toys.recipe(toys.task("a", FACES)), 1)


def test_a_recipe_ends_with_the_task_that_is_named() -> None:
    recipe = toys.recipe(*(toys.task(name, FACES) for name in ("one", "two", "three")))
    assert [task.name for task in up_to(recipe, "two").tasks] == ["one", "two"]
    with pytest.raises(RecipeError, match=r"'tow' is not a task of the recipe; did you mean 'two'"):
        up_to(recipe, "tow")
