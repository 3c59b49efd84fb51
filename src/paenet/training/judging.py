"""A learnt task on other data than it was learnt from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from paenet import packfile, tasks
from paenet.datasets import open_examples
from paenet.datasets.sources import Spec
from paenet.engine import OnnxNetwork
from paenet.errors import suggest
from paenet.packing import Pack
from paenet.packing.widening import Builder
from paenet.tasks import Identity
from paenet.training.base import view_of
from paenet.training.errors import RunError
from paenet.training.examples import (
    ImageSource,
    View,
    decode,
    metric_as_json,
    open_pairs,
    predict,
    spaced,
)
from paenet.training.machine import IMAGES, cache_folder
from paenet.training.recipe import Input


def judge(
    path: str | Path,
    name: str,
    data: Spec,
    *,
    split: str | None = "test",
    label: str | None = None,
    batch: int = 64,
    limit: int | None = None,
    cache: Path | None = None,
    backbone: Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    onnx: str | Path | None = None,
) -> dict[str, Any]:
    """Metrics of one task of a pack file, with 95 % intervals.

    Args:
        path: of the pack.
        name: of the task.
        data: a table, an image folder, or a source as a recipe has it; for an identity a pairs
            file, or the folder of LFW.
        split: of the table; None takes every row.
        label: the table's column, where it is not called as in the task's training data.
        limit: at most so many examples or pairs, evenly spaced.
        backbone: builds the network, where the file names code of the user's own.
        heads: as `paenet.packfile.read` takes them.
        onnx: a model that `pae export` has made of the pack, to be judged in the network's place.

    Returns:
        `{"task", "data", "split", "count", "broken", "skipped", "metrics"}`.

    Raises:
        RunError: where the task cannot be judged, with the reason.
        EngineError: where the model cannot be run.
        PackFileError, PackingError, DataError, TaskError: as pack, task and data have them.
    """
    held = packfile.read(path, backbone=backbone, heads=heads)
    if name not in held.pack.tasks:
        raise RunError(f"{path}: has no task {name!r}{suggest(name, held.pack.tasks)}")
    network = held.pack.materialize(name) if onnx is None else _exported(held.pack, name, onnx)
    view = view_of(held.about, path)
    try:
        task = tasks.create(**held.pack.tasks[name].notes["task"])
    except (KeyError, TypeError):
        raise RunError(f"{path}: does not say what kind of task {name!r} is") from None
    cache = (cache or cache_folder()) / IMAGES
    source = str(data) if isinstance(data, Path) else data
    if isinstance(task, Identity):
        place = _pairs_place(name, source, split, label)
        return {"task": name, "data": source} | _verification(
            network, place, view, cache, batch, limit
        )
    if label is not None:
        task = tasks.create(**{**task.describe(), "label": label})
    examples = open_examples(source, split)
    if limit is not None:
        examples = examples.select(spaced(len(examples.paths), limit))
    found = decode(examples, view, Input(), cache, task)
    assert found.targets is not None
    outputs = predict(network, ImageSource(found, view), batch=batch)
    metrics = task.measure(outputs, found.targets)
    return {
        "task": name,
        "data": source,
        "split": split,
        "count": len(found),
        "broken": list(found.broken),
        "skipped": found.skipped.as_json(),
        "metrics": {key: metric_as_json(metric) for key, metric in metrics.items()},
    }


def _pairs_place(name: str, source: Any, split: str | None, label: str | None) -> str:
    """Where an identity's pairs are.

    Raises:
        RunError: where something is asked for that pairs do not have.
    """
    lfw = isinstance(source, Mapping) and source.get("dataset") == "lfw"
    place = source.get("root") if lfw else source
    if not isinstance(place, str) or (lfw and set(source) != {"dataset", "root"}):
        raise RunError(f"{name}: is an identity; give a pairs file or the folder of LFW, no more")
    if split not in (None, "test") or label is not None:
        raise RunError(f"{name}: is an identity; its pairs have no splits and no labels to choose")
    return place


def _exported(pack: Pack, name: str, path: str | Path) -> nn.Module:
    """A task as a model has it.

    Raises:
        RunError: where the model is of another task than the pack's.
    """
    model = OnnxNetwork(path)
    network = model.only(name)
    if model.facts["tasks"][name]["fingerprint"] != pack.fingerprint(name):
        raise RunError(f"{path}: its {name!r} has another fingerprint than the pack's; export anew")
    return network


def _verification(
    network: nn.Module, data: str | Path, view: View, cache: Path, batch: int, limit: int | None
) -> dict[str, Any]:
    pairs = open_pairs(str(data), view, Input(), cache, limit)
    return {
        "split": None,
        "count": len(pairs.same),
        "broken": [],
        "skipped": pairs.split.skipped.as_json(),
        "metrics": pairs.measure(network, view, batch),
    }
