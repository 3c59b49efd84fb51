"""`pae export`: tasks as ONNX models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paenet.cli.options import Own, Pack, names
from paenet.cli.output import Json, emit, megabytes, table


def export(
    file: Pack,
    onnx: Annotated[Path, typer.Option(help="The new model.")],
    tasks: Annotated[
        str | None, typer.Option(help="Their names, with commas between them; all by default.")
    ] = None,
    split: Annotated[
        bool, typer.Option("--split", help="A model for each task instead, ONNX-TASK.onnx.")
    ] = False,
    int8: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA",
            help="Weights and activations as int8, in ranges that the training images of a table "
            "or an image folder need.",
        ),
    ] = None,
    images: Annotated[int, typer.Option(min=1, help="How many of them, for --int8.")] = 256,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Write tasks as one ONNX model; `pae eval --onnx` measures it."""
    from paenet import engine, packfile, training

    calibrate = None if int8 is None else training.calibration_images(file, int8, count=images)
    written = engine.export_onnx(
        file,
        onnx,
        None if tasks is None else names(tasks),
        split=split,
        calibrate=calibrate,
        backbone=packfile.own_builder(file, backbone),
    )
    document = [
        {
            "path": str(model.path),
            "tasks": list(model.tasks),
            "bytes": model.bytes,
            "int8": int8 is not None,
            "difference": dict(model.difference),
        }
        for model in written
    ]

    def show() -> None:
        for model in written:
            rows = [(task, f"{model.difference[task]:.1e}") for task in model.tasks]
            table(f"{model.path}: {megabytes(model.bytes)}", ("output", "off torch by"), rows)

    emit(document, as_json, show)
