"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from paenet.training import Recipe

Pack = Annotated[Path, typer.Argument(help="A .pae file.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="The new file.")]
Limit = Annotated[
    int | None,
    typer.Option(
        min=2, help="At most so many examples of every split, for a try; no goal stops it."
    ),
]
Weights = Annotated[
    str | None, typer.Option(help="Trained weights of the backbone: a name or a file.")
]
Precision = Annotated[
    Literal["auto", "float32", "bf16"] | None,
    typer.Option(help="What training computes in, in place of the recipe's own."),
]
Own = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="module:callable that builds the network, where the file names code of your own.",
    ),
]


def recipe_of(path: Path, *, weights: str | None, precision: str | None) -> Recipe:
    """The recipe of a file with what the command line gives in place of its own.

    Raises:
        RecipeError: as `training.load_recipe`; or `weights` is no path.
    """
    from paenet import training

    recipe = training.load_recipe(path)
    given = {
        "weights": None if weights is None else training.place_weights(weights, Path()),
        "precision": precision,
    }
    return recipe.model_copy(update={key: value for key, value in given.items() if value})


def names(text: str) -> list[str]:
    """A list with commas as an option gives it."""
    return [name.strip() for name in text.split(",") if name.strip()]


def key_values(texts: Sequence[str]) -> dict[str, Any]:
    """Options of a data set from the command line: `fold=1` to `{"fold": 1}`, values as in YAML.

    Raises:
        DataError: where one is no such option.
    """
    import yaml

    from paenet.datasets import DataError

    parsed: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or key in ("dataset", "name", "root", "split"):
            raise DataError(f"{text!r} is no option; give KEY=VALUE, such as fold=1")
        try:
            parsed[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):
            raise DataError(f"{text!r}: not YAML; give a value as in a recipe") from None
    return parsed
