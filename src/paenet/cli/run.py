"""`pae run`: Algorithm 1 over a recipe's tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.info import show_pack
from paenet.cli.output import Json, emit


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; see docs/recipes.md.")],
    out: Annotated[
        Path | None,
        typer.Option(help="The run's directory; runs/NAME OF THE RECIPE without it."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=2, help="At most so many examples of every split.")
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help="Start from this safetensors file instead of the recipe's.")
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Print the full recipe with every default and stop.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn the tasks of a recipe one after another; continues where it was."""
    from paenet import packfile, training

    plan = training.load_recipe(recipe)
    if weights is not None:
        plan = plan.model_copy(update={"weights": str(Path(weights).resolve())})
    if explain:
        emit(plan.model_dump(mode="json"), as_json, lambda: print(training.dump_recipe(plan)))
        return
    folder = out or Path("runs") / recipe.stem
    path = training.run(plan, folder, limit=limit, reporter=training.Live())
    files = sorted(path.glob("*.pae")) if path.is_dir() else [path]
    summary = {str(file): packfile.describe(file) for file in files}
    emit(summary, as_json, lambda: [show_pack(file) for file in files] and None)
