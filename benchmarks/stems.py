"""Which stems a run has tried: what each costs to run and what it reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tried:
    """One task on one stem, trained and not yet pruned.

    Attributes:
        stem: its name, `none` for none.
        work: what the task computes of its own, as a share of one forward pass.
        value: the goal's metric on validation.
        seconds: of training.
        chosen: whether the task has this stem.
    """

    stem: str
    work: float
    value: float
    seconds: float
    chosen: bool


def tried(document: dict[str, Any]) -> dict[str, list[Tried]]:
    """The stems that each task of a run has tried, in their order; empty where none has any."""
    if document["kind"] != "run" or not any(t.get("stem") for t in document["tasks"].values()):
        return {}
    found = {}
    for name, task in document["tasks"].items():
        stages = [s for s in task["stages"] if s["stage"].startswith("train")]
        alone = len(stages) == 1 and stages[0]["stage"] == "train"
        found[name] = [
            Tried(
                stem,
                1 - document["splits"].get(stem, 0.0),
                next(iter(stage["metrics"].values()))["value"],
                stage["seconds"],
                stem == (task["stem"] or "none"),
            )
            for stage in stages
            for stem in [task["stem"] or "none" if alone else stage["stage"].removeprefix("train-")]
        ]
    return found
