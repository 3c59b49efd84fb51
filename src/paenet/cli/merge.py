"""`pae merge`: two packs that grew from one as a single file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Out, Own, Pack
from paenet.cli.output import Json, emit


def merge(
    file: Pack,
    other: Annotated[Path, typer.Argument(help="A .pae file that grew from the same base.")],
    out: Out,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Write a file with the tasks of two packs; each computes what it did."""
    from paenet import packfile

    packfile.merge(file, other, out, backbone=packfile.own_builder(file, backbone))
    document = describe_pack(out, backbone)
    emit(document, as_json, lambda: show(document))
