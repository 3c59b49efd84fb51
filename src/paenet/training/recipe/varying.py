"""The same recipe for another fold, or up to one of its tasks."""

from __future__ import annotations

from typing import Any

from paenet.datasets import published
from paenet.errors import suggest
from paenet.training.errors import RecipeError
from paenet.training.recipe.recipe import Recipe


def at_fold(recipe: Recipe, fold: int) -> Recipe:
    """The recipe with another fold to be tested, in every data set that has folds (Adience).

    Raises:
        RecipeError: where none has.
    """
    found: list[dict[str, Any]] = []

    def folded(data: dict[str, Any]) -> dict[str, Any]:
        if "dataset" not in data or "fold" not in published(data["dataset"]).options:
            return data
        found.append(data)
        return {**data, "fold": fold}

    tasks = tuple(task.with_data(folded) for task in recipe.tasks)
    if not found:
        raise RecipeError("fold: no data set of the recipe has folds; leave the fold out")
    return recipe.model_copy(update={"tasks": tasks})


def up_to(recipe: Recipe, task: str) -> Recipe:
    """The recipe without the tasks after `task`; a run of it can go on with all of them.

    Raises:
        RecipeError: where it has no such task.
    """
    names = [plan.name for plan in recipe.tasks]
    if task not in names:
        raise RecipeError(f"{task!r} is not a task of the recipe{suggest(task, names)}")
    return recipe.model_copy(update={"tasks": recipe.tasks[: names.index(task) + 1]})
