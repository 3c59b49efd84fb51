"""What came out of one run of one method: read from its record and its files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save

from paenet import packfile
from paenet.engine import Engine
from paenet.packfile.accounting import MIB, VALUE_BYTES
from paenet.packing import Pack
from paenet.packing.widening import Builder
from paenet.training.errors import RunError
from paenet.training.loop import halved
from paenet.training.records import read_record
from paenet.training.rivals import Rival, files_of

JUDGED = ("val", "test")
FREE = "(free)"  # no task's name
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")

Values = dict[str, dict[str, float]]  # by split, then by task


def outcome_of_packs(
    folder: Path, tasks: Sequence[str], *, separate: bool, builder: Builder | None
) -> dict[str, Any]:
    """The outcome of a finished run of a pack's method.

    Args:
        folder: the run's directory.
        tasks: in the order in which they were learnt.
        separate: whether each task has a pack of its own.
        builder: builds the network, where the files name code of the user's own.

    Raises:
        RunError: where a task is no longer what it was when it was learnt; must never happen.
    """
    entries = {entry["key"]: entry for entry in read_record(folder)}
    learnt = {task: entries[f"{task}/learnt"] for task in tasks}
    names = tasks if separate else ["pack"]
    paths = [folder / f"{name}.pae" for name in names]
    packs = [packfile.read(path, backbone=builder).pack for path in paths]
    _hold(folder, packs, learnt)
    steps, seen = [], Values(val={}, test={})
    for task, entry in learnt.items():
        metric = entry["goal"]["metric"]
        seen = {split: {**seen[split], task: entry[split][metric]["value"]} for split in JUDGED}
        steps.append({"after": task, **seen})
    accounts = [packfile.accounting(pack) for pack in packs]
    if separate:  # stored as what they are, dense networks
        modules = [pack.materialize(name) for pack in packs for name in pack.tasks]
        size = sum(len(save(halved(module.state_dict()))) for module in modules)
        cost = float(len(packs))
    else:
        size = paths[0].stat().st_size
        cost = Engine(packs[0], dtype="float32").cost()["all"]
    return {
        **_judged(steps, {task: entry["goal"]["metric"] for task, entry in learnt.items()}),
        "goals_met": {task: entry["goal"]["met"] for task, entry in learnt.items()},
        "fingerprints": {name: pack.fingerprint(name) for pack in packs for name in pack.tasks},
        "bytes": size,
        "paper_mib": sum(account["paper_mib"] for account in accounts),
        "cost": cost,
        "seconds": _seconds(entries),
        **_circumstances(entries["run"]),
        "owners": None if separate else _owners(packs[0]),
    }


def outcome_of_rival(folder: Path, tasks: Sequence[str], rival: Rival) -> dict[str, Any]:
    """The outcome of a finished run of a rival; arguments as `outcome_of_packs`."""
    entries = {entry["key"]: entry for entry in read_record(folder)}
    lessons = ["+".join(tasks)] if rival.together else list(tasks)
    learnt = {lesson: entries[f"{lesson}/learnt"] for lesson in lessons}
    steps, seen, metrics = [], Values(val={}, test={}), dict[str, str]()
    for lesson, entry in learnt.items():
        judged = entry["judged"]
        metrics |= {task: found["metric"] for task, found in judged.items()}
        for split in JUDGED:
            now = {task: f[split][f["metric"]]["value"] for task, f in judged.items()}
            seen = {**seen, split: {**seen[split], **now}}
        steps.append({"after": lesson, **seen})
    files = files_of(folder, tasks, rival)
    return {
        **_judged(steps, {task: metrics[task] for task in tasks}),
        "goals_met": None,
        "fingerprints": None,
        "bytes": sum(path.stat().st_size for path in files),
        "paper_mib": VALUE_BYTES * sum(map(_parameters, files)) / MIB,
        "cost": rival.passes(len(tasks)),
        "seconds": sum(entry["seconds"] for entry in learnt.values()),
        **_circumstances(entries["run"]),
        "owners": None,
    }


def _judged(steps: list[dict[str, Any]], metrics: dict[str, str]) -> dict[str, Any]:
    """Every task right after it was learnt and at the end, and what was lost in between.

    Forgetting is after Chaudhry et al. (ECCV 2018, eq. 3): the best that a task reached from when
    it was learnt on, less what it reaches at the end; in the metric's own unit, at least 0. The
    mean is over all tasks, where theirs leaves the last one out.
    """
    tasks: dict[str, dict[str, Any]] = {}
    for task, metric in metrics.items():
        history = {
            split: [step[split][task] for step in steps if task in step[split]] for split in JUDGED
        }
        tasks[task] = {
            "metric": metric,
            "learnt": {split: values[0] for split, values in history.items()},
            "end": {split: values[-1] for split, values in history.items()},
            "forgetting": {split: max(values) - values[-1] for split, values in history.items()},
        }
    mean = {
        split: sum(task["forgetting"][split] for task in tasks.values()) / len(tasks)
        for split in JUDGED
    }
    return {"tasks": tasks, "forgetting": mean, "steps": steps}


def _hold(folder: Path, packs: Sequence[Pack], learnt: dict[str, dict[str, Any]]) -> None:
    """Holds every task of the files to the fingerprint that it had when it was learnt."""
    for pack in packs:
        for name in pack.tasks:
            then = learnt[name]["tasks"][name]["fingerprint"]
            if pack.fingerprint(name) != then:
                raise RunError(
                    f"{folder}: task {name!r} has another fingerprint than when it was learnt; "
                    "move that directory away to learn anew"
                )


def _circumstances(run: dict[str, Any]) -> dict[str, Any]:
    """What a run was made with, in which other runs of the report may differ."""
    return {"precision": run["precision"], "versions": run["versions"]}


def _seconds(entries: dict[str, dict[str, Any]]) -> float:
    """Of training by the plans that were learnt; a goal's reference is no part of any method."""
    plans = {
        key.partition("/")[0]: entry["plan"]
        for key, entry in entries.items()
        if key.endswith("/learnt")
    }
    return sum(
        entry.get("seconds", 0.0)
        for key, entry in entries.items()
        if entry["plan"] == plans.get(key.partition("/")[0])
        and not key.endswith(("/reference-train", "/reference-pretrain"))
    )


def _owners(pack: Pack) -> dict[str, dict[str, int]]:
    """For every layer how many weights each task owns; those of no one are `(free)`."""
    slots = {FREE: 0, **{name: task.slot for name, task in pack.tasks.items()}}
    counts = {}
    for name, layer in pack.layers.items():
        found = torch.bincount(layer.owner.flatten(), minlength=256)
        counts[name] = {owner: int(found[slot]) for owner, slot in slots.items()}
    return counts


def _parameters(path: Path) -> int:
    """How many values a file holds beside the statistics of norms, which are no parameters."""
    with safe_open(path, "pt") as file:
        shapes = {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118
    return sum(
        torch.Size(shape).numel() for key, shape in shapes.items() if not key.endswith(_STATISTICS)
    )
