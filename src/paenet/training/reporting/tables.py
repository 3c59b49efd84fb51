"""The paper's tables: what finished runs reached, module by module, and what it weighs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

from paenet import packfile
from paenet.notes import mapping, metrics
from paenet.training.errors import RunError
from paenet.training.records.journal import RECORD, read_record
from paenet.training.reporting.literature import Row, groups, published_figures, rows_beside, spread

# How identity is tested where face pairs were given; the authors subtract the mean, too.
_PAIRS = ("pairs_mean_subtracted", "pairs")


def report(runs: Sequence[str | Path], *, backbone: str | None = None) -> dict[str, Any]:
    """Accuracy and size of every module of some runs, beside published figures.

    Several runs are taken for folds of one experiment: figures are their means, with the standard
    deviation (of a sample). A figure is that of the task's metric on its test split; for an
    identity with face pairs, verification with the mean embedding subtracted. Published figures
    are those of modules of the same name that were tested on the same data set.

    Args:
        runs: directories of runs, or pack files.
        backbone: `module:callable`, where the packs name code of your own.

    Returns:
        `method`, `runs`, `columns` (`module`, `data`, `metric`, its `unit`), `rows`, `sources`
        (words by key). The first row is of the runs, the second of networks for one task each;
        rows have `model`, `source`, `accuracy` and `mb` by module, each `value` and, as far as
        known, `deviation` or the 95 % interval `low`, `high`; `together`, the `mb` of several
        modules and its `share` of separate networks. Shares and cosines are in percent, sizes in
        MB (2**20 bytes) in the paper's accounting. Runs of CIFAR-100 in tasks have `average`, the
        mean over the tasks, and `weights`, those of the widest network by those of the given one.

    Raises:
        RunError: where a run has no pack, or runs are not of one experiment.
        PackFileError: where a pack cannot be read.
    """
    found = [_run(Path(run), backbone) for run in runs]
    if not found:
        raise RunError("no run to report; give the directory of one, or several")
    first = found[0]
    for other in found[1:]:
        if _experiment(other) != _experiment(first):
            raise RunError(
                f"{other['run']}: {_experiment(other)}, but {first['run']}: "
                f"{_experiment(first)}; report runs of one experiment together"
            )
    columns = [
        {"module": name, **{key: task[key] for key in ("data", "metric", "unit")}}
        for name, task in first["tasks"].items()
    ]
    cifar100 = len(columns) > 1 and {column["data"] for column in columns} == {"cifar100"}
    beside = {column["module"]: column["data"] for column in columns}
    rows = [*_own_rows(found, cifar100), *rows_beside(beside, cifar100)]
    used = {row["source"] for row in rows} - {None}
    return {
        "method": first["method"],
        "runs": [{key: run[key] for key in ("run", "limit")} for run in found],
        "columns": columns,
        "rows": rows,
        "sources": {k: words for k, words in published_figures()["sources"].items() if k in used},
    }


def _run(path: Path, backbone: str | None) -> dict[str, Any]:
    """What one run's packs say."""
    files = sorted(path.glob("*.pae")) if path.is_dir() else [path]
    if not files:
        raise RunError(f"{path}: no pack in it; give the directory of a run, or a pack file")
    tasks: dict[str, dict[str, Any]] = {}
    methods: set[str] = set()
    expansions = []
    for file in files:
        held = packfile.read(file, backbone=packfile.own_builder(file, backbone))
        account = packfile.accounting(held)
        for name, task in held.pack.tasks.items():
            tasks[name] = _figures(task.notes) | {
                "mb": account["tasks"][name]["paper_mib"],
                "alone_mb": account["tasks"][name]["separate_mib"],
            }
        # The first may come from a run of another method to which it is the same.
        packed = list(held.pack.tasks.values())
        methods |= {str(task.notes.get("method") or "") for task in packed[1:] or packed}
        expansions += [account["total"] / account["dense"]] if packed else []
    if not tasks:
        raise RunError(f"{path}: no task in it yet; let the run learn one")
    folder = path if path.is_dir() else path.parent
    record = read_record(folder) if (folder / RECORD).exists() else []
    begun = next((entry for entry in record if entry["key"] == "run"), {})
    learnt = [
        entry["key"].partition("/")[0] for entry in record if entry["key"].endswith("/learnt")
    ]
    order = {name: place for place, name in enumerate(learnt)}
    known = sorted(method for method in methods if method)
    return {
        "run": str(path),
        "method": ", ".join(known) or None,
        "limit": begun.get("limit"),
        "tasks": dict(sorted(tasks.items(), key=lambda task: order.get(task[0], len(order)))),
        "expansion": sum(expansions),
    }


def _experiment(run: dict[str, Any]) -> str:
    return f"tasks {', '.join(run['tasks'])} by method {run['method']}"


def _figures(notes: dict[str, Any]) -> dict[str, Any]:
    """The figure of a task that is shown, as its notes have it."""
    goal, data = mapping(notes.get("goal")), mapping(notes.get("data"))
    test = metrics(notes.get("test"))
    alone = metrics(mapping(goal.get("reference")).get("test"))
    metric = next((name for name in _PAIRS if name in test), str(goal.get("metric") or ""))
    sources = data.get("sources")
    first = sources[0] if isinstance(sources, list) and sources else None
    return {
        "metric": metric or None,
        "unit": mapping(test.get(metric)).get("unit"),
        "data": data.get("pairs", "lfw") if metric in _PAIRS else first,
        "test": _percent(test.get(metric)),
        "alone": _percent(alone.get(metric)),
    }


def _percent(metric: dict[str, Any] | None) -> dict[str, float] | None:
    """Value and interval; shares and cosines in percent, others as they are."""
    if metric is None:
        return None
    scale = 100 if metric["unit"] in ("share", "cosine") else 1
    return {key: scale * metric[key] for key in ("value", "low", "high")}


def _own_rows(runs: list[dict[str, Any]], cifar100: bool) -> list[Row]:
    """The runs' own row, and that of networks for one task each."""
    names = list(runs[0]["tasks"])
    count = f"{len(runs)} runs" if len(runs) > 1 else "this run"
    rows = [
        _row(count, runs, names, "test", "mb"),
        _row("networks of their own", runs, names, "alone", "alone_mb"),
    ]
    if cifar100:
        for row, weights in zip(rows, (_mean(runs, "expansion"), len(names)), strict=True):
            values = [row["accuracy"][name]["value"] for name in names if name in row["accuracy"]]
            if len(values) == len(names):
                row["average"] = fmean(values)
            row["weights"] = weights
    return rows


def _row(model: str, runs: list[dict[str, Any]], names: list[str], figure: str, mb: str) -> Row:
    accuracy: dict[str, Any] = {}
    size: dict[str, Any] = {}
    for name in names:
        found = [run["tasks"][name][figure] for run in runs]
        if all(found):
            # A task that was learnt once, and copied into the other runs, is one figure.
            several = len({value["value"] for value in found}) > 1
            many = spread("value", [value["value"] for value in found])
            accuracy[name] = many if several else found[0]
        size[name] = spread("value", [run["tasks"][name][mb] for run in runs])
    together = {}
    for group in groups(names):
        own, alone = (
            [sum(run["tasks"][name][key] for name in group) for run in runs]
            for key in (mb, "alone_mb")
        )
        together[" + ".join(group)] = {
            **spread("mb", own),
            "share": 100 * fmean(own) / fmean(alone),
        }
    return {"model": model, "source": None, "accuracy": accuracy, "mb": size, "together": together}


def _mean(runs: list[dict[str, Any]], key: str) -> float:
    return fmean(run[key] for run in runs)
