"""`pae remove`: one task less."""

from __future__ import annotations

from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Own, Pack
from paenet.cli.output import Json, emit


def remove(
    file: Pack,
    task: Annotated[str, typer.Argument(help="The task's name.")],
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Free a task's weights; the other tasks stay exactly as they are."""
    from paenet import training

    training.remove(file, task, backbone=backbone)
    document = describe_pack(file, backbone)
    emit(document, as_json, lambda: show(document))
