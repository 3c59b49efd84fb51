r"""How the tasks of packs do on faces of another data set than they were learnt from.

    python -m benchmarks.unseen adience/labels.csv gender age:age_group --run runs/faces \
      --run individual=runs/faces-compare/individual/seed-0-identity+age+expression+gender

writes docs/results/unseen.json. Every row of the table is taken, whatever its split: nothing was
learnt from it, and nothing chosen by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.recording import record
from paenet import training


def measure(table: Path, tasks: dict[str, str | None], runs: dict[str, Path]) -> dict[str, Any]:
    """Everything that goes on record, but for command and versions.

    Args:
        table: of the other data set.
        tasks: the column of each task's labels; None where the task calls it so.
        runs: by what it is called, the directory of a run that learnt all of these tasks, in one
            pack or in one for each.
    """
    return {
        "data": table.parent.name,
        "runs": {
            name: {
                task: _judged(_pack_of(run, task), task, table, label)
                for task, label in tasks.items()
            }
            for name, run in runs.items()
        },
    }


def _pack_of(run: Path, task: str) -> Path:
    whole = run / "pack.pae"
    return whole if whole.exists() else run / f"{task}.pae"


def _judged(pack: Path, task: str, table: Path, label: str | None) -> dict[str, Any]:
    found = training.judge(pack, task, table, split=None, label=label)
    return {"count": found["count"], "broken": len(found["broken"]), "metrics": found["metrics"]}


def main(
    table: Annotated[Path, typer.Argument(help="Of the other data set.")],
    tasks: Annotated[list[str], typer.Argument(help="NAME, or NAME:COLUMN of the table.")],
    run: Annotated[
        list[str], typer.Option(help="The directory of a run, or NAME=DIRECTORY to call it so.")
    ],
) -> None:
    """Measures, and writes docs/results/unseen.json."""
    columns = {name: column or None for name, _, column in (task.partition(":") for task in tasks)}
    named = [text.rpartition("=") for text in run]
    runs = {name or Path(folder).name: Path(folder) for name, _, folder in named}
    record("unseen", "benchmarks.unseen", measure(table, columns, runs))


if __name__ == "__main__":
    typer.run(main)
