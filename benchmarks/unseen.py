"""How the tasks of packs do on faces of another data set than they were learnt from.

    python -m benchmarks.unseen adience/labels.csv gender age:age_group --pack runs/faces/pack.pae

writes docs/results/unseen.json. Every row of the table is taken, whatever its split: nothing was
learnt from it, and nothing chosen by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.recording import record
from paenet import training


def measure(table: Path, tasks: dict[str, str | None], packs: list[Path]) -> dict[str, Any]:
    """Everything that goes on record, but for command and versions.

    Args:
        table: of the other data set.
        tasks: the column of each task's labels; None where the task calls it so.
        packs: each of which has all of these tasks.
    """
    return {
        "data": table.parent.name,
        "packs": {
            pack.parent.name: {
                task: _judged(pack, task, table, label) for task, label in tasks.items()
            }
            for pack in packs
        },
    }


def _judged(pack: Path, task: str, table: Path, label: str | None) -> dict[str, Any]:
    found = training.judge(pack, task, table, split=None, label=label)
    return {"count": found["count"], "broken": len(found["broken"]), "metrics": found["metrics"]}


def main(
    table: Annotated[Path, typer.Argument(help="Of the other data set.")],
    tasks: Annotated[list[str], typer.Argument(help="NAME, or NAME:COLUMN of the table.")],
    pack: Annotated[list[Path], typer.Option(help="A pack that has these tasks.")],
) -> None:
    """Measures, and writes docs/results/unseen.json."""
    columns = {name: column or None for name, _, column in (task.partition(":") for task in tasks)}
    record("unseen", "benchmarks.unseen", measure(table, columns, pack))


if __name__ == "__main__":
    typer.run(main)
