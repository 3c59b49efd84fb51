"""`pae extract`: some tasks of a pack as a file of their own."""

from __future__ import annotations

from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Out, Own, Pack, names
from paenet.cli.output import Json, emit


def extract(
    file: Pack,
    tasks: Annotated[str, typer.Option(help="Their names, with commas between them.")],
    out: Out,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Write a file of some tasks, and of those whose weights or norms they use."""
    from paenet import packfile

    packfile.extract(file, names(tasks), out, backbone=packfile.own_builder(file, backbone))
    document = describe_pack(out, backbone)
    emit(document, as_json, lambda: show(document))
