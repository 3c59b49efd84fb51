"""The whole story on built-in synthetic faces, in minutes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from paenet.training.progress import Reporter
from paenet.training.recipe import Recipe, parse_recipe
from paenet.training.run import run


def quickstart_recipe() -> Recipe:
    """The recipe of the quickstart: four tasks on drawn faces, in a small network."""
    text = files("paenet.training").joinpath("quickstart.yaml").read_text(encoding="utf-8")
    return parse_recipe(yaml.safe_load(text), name="quickstart.yaml")


def quickstart(
    folder: str | Path, *, limit: int | None = None, reporter: Reporter | None = None
) -> Path:
    """Learns identity, gender, age and expression on synthetic faces; returns the pack's path.

    Args:
        folder: the run's directory; a run that was stopped goes on.
        limit: at most so many examples of every split; goals, which are set for all of them, are
            then measured and stop nothing.
    """
    recipe = quickstart_recipe()
    if limit is not None:
        tasks = tuple(
            task.model_copy(update={"goal": task.goal.model_copy(update={"missed": "keep"})})
            for task in recipe.tasks
        )
        recipe = recipe.model_copy(update={"tasks": tasks})
    return run(recipe, folder, limit=limit, reporter=reporter)
