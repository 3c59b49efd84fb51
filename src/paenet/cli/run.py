"""`pae run`: Algorithm 1 over a recipe's tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Limit, Precision, Weights, recipe_of
from paenet.cli.output import Json, emit


def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; docs/recipes.md has its keys.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The run's directory; runs/, the recipe's name and the fold without it."),
    ] = None,
    limit: Limit = None,
    weights: Weights = None,
    precision: Precision = None,
    fold: Annotated[
        int | None, typer.Option(min=0, help="The fold to test, in data sets that have folds.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Stop after this task; a later run goes on.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the recipe with its defaults and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn the tasks of a recipe one after another; continues where it was."""
    from paenet import training

    plan = recipe_of(recipe, weights=weights, precision=precision)
    if fold is not None:
        plan = training.at_fold(plan, fold)
    if until is not None:
        plan = training.up_to(plan, until)
    if explain:
        full = plan.model_dump(mode="json")
        emit(full, as_json, lambda: print(training.dump_recipe(plan), end=""))
        return
    name = recipe.stem if fold is None else f"{recipe.stem}-fold-{fold}"
    folder = out or Path("runs") / name
    training.keep_freed_memory()
    path = training.run(plan, folder, limit=limit, reporter=training.Live())
    files = sorted(path.glob("*.pae")) if path.is_dir() else [path]
    own = plan.backbone.name if ":" in plan.backbone.name else None
    documents = [describe_pack(file, own) for file in files]

    def show_all() -> None:
        for document in documents:
            show(document)

    emit(documents if len(documents) > 1 else documents[0], as_json, show_all)
