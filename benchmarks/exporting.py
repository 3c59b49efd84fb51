"""What an ONNX model's tasks lose to float32 and to int8, on the test data of a run.

    python -m benchmarks.exporting runs/faces-stems recipes/faces-stems.yaml

writes docs/results/export.json: every task judged as the pack's own network, as a float32 model and
as an int8 model whose ranges come from training images of all tasks.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import torch
import typer

from benchmarks.recording import record
from paenet import engine, tasks, training

IMAGES = 256  # from which the ranges of activations are taken, over all tasks


def measure(run: Path, recipe: Path) -> dict[str, Any]:
    """Everything that goes on record, but for command and versions.

    Args:
        run: the directory of a run that ended.
        recipe: what it was started with.
    """
    pack, plans = run / "pack.pae", training.load_recipe(recipe).tasks
    share = IMAGES // len(plans)
    images = [training.calibration_images(pack, plan.data, count=share) for plan in plans]
    with tempfile.TemporaryDirectory() as folder:
        models = {"float32": Path(folder) / "float32.onnx", "int8": Path(folder) / "int8.onnx"}
        for kind, path in models.items():
            calibrate = torch.cat(images) if kind == "int8" else None
            engine.export_onnx(pack, path, calibrate=calibrate)
        return {
            "run": run.name,
            "images": share * len(plans),
            "bytes": {
                "pack": pack.stat().st_size,
                **{kind: path.stat().st_size for kind, path in models.items()},
            },
            "tasks": {plan.name: _judged(pack, plan, models) for plan in plans},
        }


def _judged(
    pack: Path, plan: training.TaskPlan, models: dict[str, Path]
) -> dict[str, dict[str, Any]]:
    """The metric that a task's goal is about (of a distilled identity: of its pairs), by model."""
    task = tasks.create(plan.kind, plan.name, **plan.settings)
    metric = "pairs" if plan.pairs else task.metric
    data = plan.pairs or plan.data
    found = {"torch": training.judge(pack, plan.name, data)}
    for kind, path in models.items():
        found[kind] = training.judge(pack, plan.name, data, onnx=path)
    return {kind: {"metric": metric, **one["metrics"][metric]} for kind, one in found.items()}


def main(
    run: Annotated[Path, typer.Argument(help="The directory of a run.")],
    recipe: Annotated[Path, typer.Argument(help="What it was started with.")],
) -> None:
    """Measures, and writes docs/results/export.json."""
    record("export", "benchmarks.exporting", measure(run, recipe))


if __name__ == "__main__":
    typer.run(main)
