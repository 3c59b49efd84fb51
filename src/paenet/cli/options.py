"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

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
Own = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        help="module:callable that builds the network, where the file names code of your own.",
    ),
]


def names(text: str) -> list[str]:
    """A list with commas as an option gives it."""
    return [name.strip() for name in text.split(",") if name.strip()]
