"""What others have published, for a run's figures to stand beside."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.resources import files
from statistics import fmean, stdev
from typing import Any

import yaml

Row = dict[str, Any]

_MOST_PAIRED = 6  # modules, up to which the first with each other one is counted together


def published_figures() -> dict[str, Any]:
    """Published accuracies and sizes, each with its source.

    Accuracies are in percent, sizes in MB (2**20 bytes, the paper's accounting where it is the
    paper's). Where a source lists folds or tasks, the mean over them is the figure and the
    standard deviation (of a sample) its `deviation`.

    Returns:
        `sources`, words by key; `modules`, rows of `model`, `module`, `data`, `source` and, as far
        as known, `accuracy`, `deviation`, `mb`; `together`, rows of `modules` in one network;
        `cifar100`, rows over its twenty tasks, with `weights` in those of one network;
        `cifar100_tasks`, the names of these.
    """
    text = files("paenet.training.reporting").joinpath("published.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.safe_load(text)
    for row in document["modules"]:
        if "folds" in row:
            row.update(spread("accuracy", row["folds"]))
        if "fold_mb" in row:
            row["mb"] = fmean(row["fold_mb"])
    for row in document["cifar100"]:
        if "tasks" in row:
            row["accuracy"] = fmean(row["tasks"])
    return document


def spread(key: str, values: Iterable[float]) -> dict[str, Any]:
    """The mean of some values under `key`, and their deviation where they are several."""
    values = list(values)
    deviation = {"deviation": stdev(values)} if len(values) > 1 else {}
    return {key: fmean(values), **deviation}


def groups(modules: list[str]) -> list[list[str]]:
    """Modules that are counted together: the first with each other one where they are few; all."""
    first, *others = modules
    pairs = [[first, other] for other in others] if 2 < len(modules) <= _MOST_PAIRED else []
    return [*pairs, modules] if others else []


def rows_beside(columns: Mapping[str, str | None], cifar100: bool = False) -> list[Row]:
    """Published rows for some modules, one for each model and source.

    Args:
        columns: modules, each with the data set that it was tested on.
        cifar100: whether these are tasks of CIFAR-100. All twenty may have any names whose
            alphabetical order is that of the coarse labels; a part of them is known by those.

    Returns:
        Rows of `model`, `source`, `accuracy` and `mb` by module, and `together`, the size of
        several modules by their names joined with " + ": as published, or else the sum. Those of
        CIFAR-100 have `average`, the mean over these tasks, and `weights` beside all twenty; what
        is known of the twenty alone is not beside a part of them.
    """
    figures = published_figures()
    if cifar100:
        return _over_tasks(columns, figures)
    rows: dict[tuple[str, str], Row] = {}

    def row_of(found: Row) -> Row:
        new = {"model": found["model"], "source": found["source"]}
        empty: Row = {"accuracy": {}, "mb": {}, "together": {}}
        return rows.setdefault((found["model"], found["source"]), new | empty)

    for found in figures["modules"]:
        module = found["module"]
        if columns.get(module) != found["data"]:
            continue
        row = row_of(found)
        if "accuracy" in found:
            wanted = {"accuracy": "value", "deviation": "deviation"}
            row["accuracy"][module] = {wanted[k]: found[k] for k in wanted if k in found}
        if "mb" in found:
            row["mb"][module] = {"value": found["mb"]}
    for found in figures["together"]:
        if set(found["modules"]) == set(columns) and found.get("data") in (None, *columns.values()):
            key = " + ".join(name for name in columns if name in found["modules"])
            row_of(found)["together"][key] = {k: found[k] for k in ("mb", "share") if k in found}
    for row in rows.values():
        for group in groups(list(columns)):
            if all(name in row["mb"] for name in group):
                size = sum(row["mb"][name]["value"] for name in group)
                row["together"].setdefault(" + ".join(group), {"mb": size})
    return list(rows.values())


def _over_tasks(columns: Mapping[str, str | None], figures: Mapping[str, Any]) -> list[Row]:
    """Published rows of CIFAR-100 over the tasks in `columns`, and no other ones."""
    labels = figures["cifar100_tasks"]
    whole = len(columns) == len(labels)
    names = sorted(columns) if whole else labels  # all of them may have others
    rows = []
    for row in figures["cifar100"]:
        values = zip(names, row["tasks"], strict=True) if "tasks" in row else ()
        known = {name: value for name, value in values if name in columns}
        found: Row = {
            "model": row["model"],
            "source": row["source"],
            "accuracy": {name: {"value": value} for name, value in known.items()},
            "mb": {},
            "together": {},
        }
        if whole:
            found["average"] = row["accuracy"]
            found |= {key: row[key] for key in ("weights",) if key in row}
        elif len(known) == len(columns):
            found["average"] = fmean(known.values())
        if whole or known:
            rows.append(found)
    return rows
