"""`pae eval`: a task on data of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.options import Own, Pack, key_values
from paenet.cli.output import Json, emit, interval, printable, table


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
    dataset: Annotated[
        str | None,
        typer.Option(help="The published data set that --data is the folder of: pae datasets."),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Of that data set, as in a recipe: fold=1."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=2, help="At most so many examples or pairs, evenly spaced.")
    ] = None,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Metrics of one task with 95 % intervals."""
    from paenet import packfile, training

    source: Any = data
    if dataset is not None:
        source = {"dataset": dataset, "root": str(data), **key_values(option or [])}
    elif option:
        raise training.RunError("--option is of a published data set; name it with --dataset")
    found = training.judge(
        file,
        task,
        source,
        split=None if split == "all" else split,
        label=label,
        limit=limit,
        backbone=packfile.own_builder(file, backbone),
        onnx=onnx,
    )

    def show() -> None:
        rows = [(name, interval(m), str(m["count"])) for name, m in found["metrics"].items()]
        whose = task if onnx is None else f"{task} of {onnx}"
        place = data if dataset is None else f"{dataset} in {data}"
        part = "" if "pairs" in found["metrics"] else f" ({split})"
        table(f"{whose} on {place}{part}", ("metric", "value", "examples"), rows)
        for name, metric in found["metrics"].items():
            if "threshold" in metric:
                print(f"{name}: one person from a cosine of {metric['threshold']:.3f} on")
        if found["broken"]:
            path, reason = found["broken"][0]
            first = printable(f"{path}: {reason}")
            print(f"{len(found['broken'])} broken images left out, the first: {first}")
        if found["skipped"]["rows"]:
            print(found["skipped"]["summary"])

    emit(found, as_json, show)
