"""How long it takes to add a task to a pack, from the command to a file that meets its goal.

    python -m benchmarks.adding runs/faces-stems recipes/faces-stems.yaml gender

writes docs/results/adding.json: the task is learnt anew into a copy of the run's pack that holds
the first task alone, by `pae add` with the recipe's plan and the threshold that its goal had in the
run; first with an empty cache, then with what that left in the cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from benchmarks.recording import record
from paenet import packfile, training
from paenet.training.recipe.recipe import BESIDE


def measure(run: Path, recipe: Path, task: str) -> dict[str, Any]:
    """Everything that goes on record, but for command and versions.

    Args:
        run: the directory of a run that ended.
        recipe: what it was started with.
        task: one of its tasks, but the first.
    """
    plan = _plan(run / "pack.pae", recipe, task)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "plan.yaml").write_text(yaml.safe_dump(plan), encoding="utf-8")
        first = _first_task(run / "pack.pae", place / "first.pae")
        added = {}
        for kind in ("cold", "warm"):
            pack = place / f"{kind}.pae"
            shutil.copy(place / "first.pae", pack)
            added[kind] = _added(pack, place / "plan.yaml", place / "cache", task)
    return {"run": run.name, "task": task, "beside": first, **added}


def _plan(pack: Path, recipe: Path, task: str) -> dict[str, Any]:
    """The task's plan as `pae add` takes it, with the threshold that the run held it to."""
    loaded = training.load_recipe(recipe)
    (plan,) = (one for one in loaded.tasks if one.name == task)
    (learnt,) = (one for one in packfile.describe(pack)["tasks"] if one["name"] == task)
    whole = loaded.model_dump(mode="json", exclude_unset=True)
    whole["input"] = {"augment": loaded.input.augment.model_dump(mode="json")}  # else the pack's
    return {
        **plan.model_dump(mode="json", exclude_unset=True),
        "goal": {"at_least": learnt["notes"]["goal"]["threshold"], "missed": plan.goal.missed},
        **{key: whole[key] for key in BESIDE if key in whole},
    }


def _first_task(pack: Path, out: Path) -> str:
    """A copy of a pack without what was learnt after its first task, whose name is returned."""
    first, *others = (task["name"] for task in packfile.describe(pack)["tasks"])
    shutil.copy(pack, out)
    for name in reversed(others):
        training.remove(out, name)
    return str(first)


def _added(pack: Path, plan: Path, cache: Path, task: str) -> dict[str, Any]:
    """What it took, and what came of it."""
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "paenet", "add", str(pack), "--task", str(plan)],
        env={**os.environ, "PAENET_CACHE": str(cache)},
        stdout=subprocess.DEVNULL,
        check=True,
    )
    seconds = time.monotonic() - started
    (learnt,) = (one for one in packfile.describe(pack)["tasks"] if one["name"] == task)
    goal = learnt["notes"]["goal"]
    return {
        "seconds": round(seconds, 1),
        "stem": (learnt["stem"] or {}).get("name"),
        "goal": goal,
        "validation": learnt["notes"]["validation"][goal["metric"]],
        "test": learnt["notes"]["test"][goal["metric"]],
        "file_bytes": pack.stat().st_size,
    }


def main(
    run: Annotated[Path, typer.Argument(help="The directory of a run.")],
    recipe: Annotated[Path, typer.Argument(help="What it was started with.")],
    task: Annotated[str, typer.Argument(help="One of its tasks, but the first.")],
) -> None:
    """Measures, and writes docs/results/adding.json."""
    record("adding", "benchmarks.adding", measure(run, recipe, task))


if __name__ == "__main__":
    typer.run(main)
