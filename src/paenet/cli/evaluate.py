"""`pae eval`: a task on data of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.options import Limit, Own, Pack
from paenet.cli.output import Json, emit, interval, table


def evaluate(
    file: Pack,
    task: Annotated[str, typer.Option(help="The task's name.")],
    data: Annotated[
        Path,
        typer.Option(
            help="A table or an image folder; for an identity a pairs file, or the folder of LFW."
        ),
    ],
    split: Annotated[str, typer.Option(help="The table's split; 'all' takes every row.")] = "test",
    label: Annotated[
        str | None, typer.Option(help="The table's column, where it has another name.")
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option(help="A model that `pae export` made of the file, to be judged in its place."),
    ] = None,
    limit: Limit = None,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Metrics of one task with 95 % intervals."""
    from paenet import training

    found = training.judge(
        file,
        task,
        data,
        split=None if split == "all" else split,
        label=label,
        limit=limit,
        backbone=training.own_builder(file, backbone),
        onnx=onnx,
    )

    def show() -> None:
        rows = [(name, interval(m), str(m["count"])) for name, m in found["metrics"].items()]
        whose = task if onnx is None else f"{task} of {onnx}"
        table(f"{whose} on {data} ({split})", ("metric", "value", "examples"), rows)
        if found["broken"]:
            path, reason = found["broken"][0]
            print(f"{len(found['broken'])} broken images left out, the first: {path}: {reason}")

    emit(found, as_json, show)
