"""`pae info`: what is in a pack and what it weighs."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paenet.cli.options import Own, Pack
from paenet.cli.output import Json, emit, interval, megabytes, table
from paenet.notes import mapping, metrics

if TYPE_CHECKING:
    from paenet.packfile import Ledger, PackFile
    from paenet.packing import Pack as Network
    from paenet.packing import Split


def info(file: Pack, backbone: Own = None, as_json: Json = False) -> None:
    """Tasks, goals, widths, weights owned and used, bytes, the paper's accounting."""
    document = describe_pack(file, backbone)
    emit(document, as_json, lambda: show(document))


def describe_pack(file: Path, backbone: str | None = None) -> dict[str, Any]:
    """Everything that `pae info` tells, as JSON types."""
    from paenet import packfile

    def take(document: dict[str, Any]) -> tuple[PackFile, Ledger, list[dict[str, Any]]]:
        held = packfile.read(file, backbone=packfile.own_builder(file, backbone))
        return held, packfile.ledger(file), document["tasks"]

    held, ledger, records = packfile.unchanged(file, take)
    account = packfile.accounting(held)
    tasks = {}
    for record in records:
        notes = record["notes"]
        tasks[record["name"]] = {
            "kind": mapping(notes.get("task")).get("kind"),
            "sees": record["sees"],
            "stem": (record.get("stem") or {}).get("name"),  # a file of format 1.0 says none
            "width": held.pack.widths[record["width"]].width,
            "fingerprint": record["fingerprint"],
            "goal": notes.get("goal"),
            "validation": notes.get("validation"),
            "test": notes.get("test"),
            "data": notes.get("data"),
            "terms": notes.get("terms"),
            **account["tasks"][record["name"]],
            "file": ledger["tasks"][record["name"]],
        }
    splits = _splits(held.pack)
    for name, task in tasks.items():
        task["own_work"] = held.pack.own_work(name) if splits else 1.0
    totals = {key: value for key, value in account.items() if key != "tasks"}
    return {
        **held.about,
        "file": str(file),
        "file_bytes": ledger["total"],
        "container_bytes": ledger["container"],
        "file_of_separate": of_separate(ledger["total"], account["separate_mib"]),
        "backbone": {"name": held.spec.name, "arguments": held.spec.arguments},
        "tasks": tasks,
        "splits": {name: split.work for name, split in splits.items()},
        **totals,
    }


def _splits(pack: Network) -> dict[str, Split]:
    """Where the network can be split; nowhere, if torch.fx cannot trace it."""
    from paenet.packing import PackingError

    try:
        return {} if pack.example is None else pack.splits()
    except PackingError:
        return {}


def show(document: dict[str, Any]) -> None:
    """Prints what `describe_pack` found, in 80 columns."""
    tasks = document["tasks"]
    picks = any(task["file"]["picks"] for task in tasks.values())
    parts = ["values", "owners", *["picks"] * picks, "norms", "head"]
    table(
        f"{document['file']} ({document['backbone']['name']})",
        ("task", "metric", "goal", "validation", "test"),
        [(name, *_figures(task)) for name, task in tasks.items()],
    )
    table(
        "What it weighs",
        ("task", "sees", "width", "owns", "uses", "paper MB", "alone MB"),
        [(name, *_weights(task)) for name, task in tasks.items()],
    )
    table(
        "What it takes of the file, in kB",
        ("task", "written as", *parts, "entropy"),
        [(name, *_bytes(task["file"], parts)) for name, task in tasks.items()],
    )
    if any(task["own_work"] < 1 for task in tasks.values()):
        table(
            "What it computes, when all tasks are asked of one image",
            ("task", "shares up to", "computes of its own"),
            [
                (name, task["stem"] or "–", f"{task['own_work']:.1%}")
                for name, task in tasks.items()
            ],
        )
    if document["splits"]:
        names = ", ".join(document["splits"])
        print(textwrap.fill(f"A stem may end after: {names}.", 80, break_on_hyphens=False) + "\n")
    print(
        f"{document['owned']:,} of {document['total']:,} weights are owned, "
        f"{document['free']:,} are free.\n"
        f"In the paper's accounting {document['paper_mib']:.2f} MB, "
        f"{document['of_separate']:.1%} of separate networks ({document['separate_mib']:.2f} MB);\n"
        f"this file has {megabytes(document['file_bytes'])}, "
        f"{document['file_of_separate']:.1%} of them."
    )


def _figures(task: dict[str, Any]) -> tuple[str, ...]:
    """The goal's metric, the goal, and what was reached; a goal that was missed says so."""
    goal = mapping(task["goal"])
    validation, test = metrics(task["validation"]), metrics(task["test"])
    metric, threshold = goal.get("metric", next(iter(validation), None)), goal.get("threshold")
    missed = " missed" if not goal.get("met", True) else ""
    return (
        metric if isinstance(metric, str) else "–",
        f"≥ {threshold:.3f}{missed}" if isinstance(threshold, int | float) else "–",
        *(interval(found[metric]) if metric in found else "–" for found in (validation, test)),
    )


def _weights(task: dict[str, Any]) -> tuple[str, ...]:
    width = task["width"]
    return (
        ", ".join(task["sees"]) or "–",
        f"{width:g}" if isinstance(width, int | float) else "per layer",
        f"{task['owned']:,}",
        f"{(task['owned'] + task['seen']) / task['total']:.1%}",
        f"{task['paper_mib']:.2f}",
        f"{task['separate_mib']:.2f}",
    )


def _bytes(task: dict[str, Any], parts: list[str]) -> tuple[str, ...]:
    sizes = (task[part] for part in parts)
    entropy = task["values_entropy"] + task["owners_entropy"] + task["picks_entropy"]
    return (task["coding"], *(f"{size / 2**10:,.1f}" for size in (*sizes, entropy)))


def of_separate(size: int, separate_mib: float) -> float:
    """A file's size by that of separate networks; 0 where there is no task."""
    from paenet.packfile.accounting import MIB

    return size / (separate_mib * MIB) if separate_mib else 0.0
