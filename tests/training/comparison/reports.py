"""Reports of comparisons that nobody has run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paenet.training.comparison.summary import by_order

_TASK = "gender"


def report_of(reached: Mapping[str, Mapping[int, float]]) -> dict[str, Any]:
    """What `training.compare` would tell of methods that learn one task.

    Args:
        reached: the share that each method gets right, by seed, on validation and on test.
    """
    methods = {}
    for name, values in reached.items():
        runs = [_run(seed, value) for seed, value in values.items()]
        methods[name] = {"rate": 1, "runs": runs, "failed": [], "orders": by_order(runs)}
    versions = dict.fromkeys(("paenet", "torch", "python", "processor"), "1")
    return {
        "kind": "comparison",
        "name": "toy",
        "command": "pae compare toy.yaml",
        "versions": {**versions, "cuda": None, "threads": 1},
        "limit": None,
        "methods": methods,
    }


def _run(seed: int, value: float) -> dict[str, Any]:
    reached, nothing = {"val": value, "test": value}, {"val": 0.0, "test": 0.0}
    task = {"metric": "accuracy", "learnt": reached, "end": reached, "forgetting": nothing}
    figures = {"bytes": 2**20, "paper_mib": 1.0, "cost": 1.0, "seconds": 1.0}
    held = {"fingerprints": None, "owners": None}
    run = {"seed": seed, "order": [_TASK], "tasks": {_TASK: task}, "forgetting": nothing}
    return {**run, **figures, **held}
