"""`pae init`: a pack with a dense network as its first task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Weights
from paenet.cli.output import Json, emit


def init(
    out: Annotated[Path, typer.Argument(help="The new .pae file.")],
    backbone: Annotated[str, typer.Option(help="A backbone's name, or module:callable.")],
    weights: Weights = None,
    name: Annotated[str, typer.Option(help="What the first task is called.")] = "base",
    release: Annotated[
        float,
        typer.Option(min=0, max=0.99, help="Free this share of its smallest weights right away."),
    ] = 0.0,
    as_json: Json = False,
) -> None:
    """Make a pack whose first task is a given network."""
    from paenet import training

    training.init(out, backbone, weights=weights, name=name, release=release)
    document = describe_pack(out, backbone if ":" in backbone else None)
    emit(document, as_json, lambda: show(document))
