"""`pae add`: one more task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Limit, Own, Pack, Weights
from paenet.cli.output import Json, emit


def add(
    file: Pack,
    task: Annotated[
        Path, typer.Option(metavar="T.yaml", help="YAML with the keys of one task of a recipe.")
    ],
    weights: Weights = None,
    backbone: Own = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Learn one more task into a pack; continues where it was."""
    from paenet import training

    training.keep_freed_memory()
    training.add(
        file, task, weights=weights, backbone=backbone, limit=limit, reporter=training.Live()
    )
    document = describe_pack(file, backbone)
    emit(document, as_json, lambda: show(document))
