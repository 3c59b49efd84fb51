"""`pae info`: what is in a pack and what it weighs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from paenet.cli.options import Own, Pack
from paenet.cli.output import Json, emit, interval, megabytes, table


def info(file: Pack, backbone: Own = None, as_json: Json = False) -> None:
    """Tasks, goals, widths, weights owned and used, bytes, the paper's accounting."""
    document = describe_pack(file, backbone)
    emit(document, as_json, lambda: show(document))


def describe_pack(file: Path, backbone: str | None = None) -> dict[str, Any]:
    """Everything that `pae info` tells, as JSON types."""
    from paenet import packfile, training

    held = packfile.read(file, backbone=training.own_builder(file, backbone))
    account = packfile.accounting(held)
    tasks = {}
    for record in packfile.describe(file)["tasks"]:
        notes = record["notes"]
        tasks[record["name"]] = {
            "kind": (notes.get("task") or {}).get("kind"),
            "sees": record["sees"],
            "width": held.pack.widths[record["width"]].width,
            "fingerprint": record["fingerprint"],
            "goal": notes.get("goal"),
            "validation": notes.get("validation"),
            "terms": notes.get("terms"),
            **account["tasks"][record["name"]],
        }
    totals = {key: value for key, value in account.items() if key != "tasks"}
    return {
        "file": str(file),
        "file_bytes": file.stat().st_size,
        "backbone": {"name": held.spec.name, "arguments": held.spec.arguments},
        **held.about,
        "tasks": tasks,
        **totals,
    }


def show(document: dict[str, Any]) -> None:
    """Prints what `describe_pack` found."""
    columns = (
        "task",
        "sees",
        "width",
        "owns",
        "uses",
        "goal",
        "validation",
        "paper MB",
        "alone MB",
    )
    rows = [
        (
            name,
            ", ".join(task["sees"]) or "–",
            _width(task["width"]),
            f"{task['owned']:,}",
            f"{(task['owned'] + task['seen']) / task['total']:.1%}",
            _goal(task["goal"]),
            _validation(task),
            f"{task['paper_mib']:.2f}",
            f"{task['separate_mib']:.2f}",
        )
        for name, task in document["tasks"].items()
    ]
    table(f"{document['file']} ({document['backbone']['name']})", columns, rows)
    print(
        f"{document['owned']:,} of {document['total']:,} weights are owned, "
        f"{document['free']:,} are free.\n"
        f"In the paper's accounting {document['paper_mib']:.2f} MB, "
        f"{document['of_separate']:.1%} of separate networks ({document['separate_mib']:.2f} MB); "
        f"this file has {megabytes(document['file_bytes'])}."
    )


def _width(width: Any) -> str:
    return f"{width:g}" if isinstance(width, int | float) else "per layer"


def _goal(goal: dict[str, Any] | None) -> str:
    if not goal:
        return "–"
    missed = "" if goal.get("met", True) else " missed"
    return f"{goal['metric']} ≥ {goal['threshold']:.3f}{missed}"


def _validation(task: dict[str, Any]) -> str:
    if not task["validation"]:
        return "–"
    metric = task["goal"]["metric"] if task["goal"] else next(iter(task["validation"]))
    return interval(task["validation"][metric])
