"""Runs over the same tasks beside each other, and beside networks of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.markdown import table
from paenet.cli.output import megabytes


def beside(runs: Mapping[str, dict[str, Any]]) -> Iterable[str]:
    """The section, line by line; nothing where there are not several runs.

    Args:
        runs: by name; those that share the tasks of the first are shown.
    """
    first: dict[str, Any] = next(iter(runs.values()), {"tasks": {}})["tasks"]
    alike = {name: run for name, run in runs.items() if list(run["tasks"]) == list(first)}
    if len(alike) < 2:
        return
    yield "## Side by side"
    yield ""
    yield (
        "The goal's metric on validation / test, with what an image costs when all tasks are asked "
        "of it (multiplications, by those of one dense network) and what the tasks take on disk. "
        "*Individual* is the dense network fine-tuned for each task alone, as in the first run."
    )
    yield ""
    rows = [
        (
            name,
            task["goal"]["metric"],
            _alone(task),
            *(_reached(run["tasks"][name]) for run in alike.values()),
        )
        for name, task in first.items()
    ]
    dense = next(iter(alike.values()))["accounting"]["separate_mib"]
    works = [sum(task["own_work"] for task in run["tasks"].values()) for run in alike.values()]
    sizes = [megabytes(run["file_bytes"]) for run in alike.values()]
    rows += [
        ("forward cost", "", f"{len(first)}.00", *(f"{work:.2f}" for work in works)),
        ("file", "", f"{dense:.1f} MB", *sizes),
    ]
    yield from table(("task", "metric", "individual", *alike), rows)
    yield ""


def _alone(task: dict[str, Any]) -> str:
    reference = task["goal"]["reference"]
    return "–" if reference is None else _both(task, reference)


def _reached(task: dict[str, Any]) -> str:
    return _both(task, task)


def _both(task: dict[str, Any], measured: Mapping[str, Any]) -> str:
    """The goal's metric on validation and test, and of pairs, where a task has them."""
    metric = task["goal"]["metric"]
    parts = [f"{measured[split][metric]['value']:.3f}" for split in ("val", "test")]
    pairs = measured["test"].get("pairs")
    return " / ".join(parts) + (f", pairs {pairs['value']:.4f}" if pairs else "")
