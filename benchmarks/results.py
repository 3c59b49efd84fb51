"""docs/results.md from the records of runs.

    python -m benchmarks.results collect runs/faces --command "pae run recipes/faces.yaml"
    python -m benchmarks.results collect runs/faces-compared
    python -m benchmarks.results write

`collect` turns a run's record and pack, the report of `pae compare`, or what `pae bench --json` has
printed into docs/results/NAME.json; `write` makes the page and its plots (they need the extra
`plot`) from every JSON file there. Nothing is typed in by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.page import page
from benchmarks.plot import plot
from benchmarks.recording import RESULTS
from benchmarks.stems import tried
from paenet import packfile, training
from paenet.bench.comparison_plots import draw

PAGE = Path("docs/results.md")

app = typer.Typer(add_completion=False, help=__doc__, no_args_is_help=True)


@app.command()
def collect(
    folder: Annotated[
        Path,
        typer.Argument(
            help="A run's directory, a comparison's, or a file: the JSON of any pae command that "
            "names its command, such as pae compare and pae bench."
        ),
    ],
    command: Annotated[
        str | None, typer.Option(help="The command that made it; JSON says so itself.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the JSON file.")] = None,
    remark: Annotated[
        str | None, typer.Option(help="What the command alone does not tell; the page shows it.")
    ] = None,
) -> None:
    """Writes docs/results/NAME.json from a run's record and pack, or from any JSON document."""
    comparison = folder if folder.is_file() else folder / training.COMPARISON
    if comparison.exists():
        document = json.loads(comparison.read_text(encoding="utf-8"))
        document["command"] = command or document["command"]
        document.pop("unasked", None)  # other commands' runs
    elif command is None:
        raise typer.BadParameter("needed for a run", param_hint="--command")
    else:
        document = _run(folder, command)
    document["remark"] = remark
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name or folder.stem}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(path)


def _run(folder: Path, command: str) -> dict[str, Any]:
    entries = {entry["key"]: entry for entry in training.read_record(folder)}
    held = packfile.read(folder / "pack.pae")
    report = packfile.check(folder / "pack.pae")
    return {
        "kind": "run",
        "command": command,
        "versions": entries["run"]["versions"],
        "limit": entries["run"]["limit"],
        "tasks": {task: _task(task, entries) for task in held.pack.tasks},
        "splits": {name: split.work for name, split in held.pack.splits().items()},
        "accounting": packfile.accounting(held),
        "file_bytes": (folder / "pack.pae").stat().st_size,
        "laws": {"verified": report.verified, "broken": [f.message for f in report.findings]},
    }


@app.command()
def write() -> None:
    """Writes docs/results.md from every JSON file in docs/results."""
    documents = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(RESULTS.glob("*.json"))
    }
    for name, document in documents.items():
        if tried(document):
            plot(document, RESULTS / f"{name}.svg")
        if document["kind"] == "comparison":
            draw(document, RESULTS, f"{name}-")
    PAGE.write_text(page(documents), encoding="utf-8")
    print(PAGE)


def _task(name: str, entries: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is on record of one task; what only this machine knows is left out."""
    learnt = entries[f"{name}/learnt"]
    stages = [
        {
            "stage": key.partition("/")[2],
            **{field: entry[field] for field in ("metrics", "weights", "sparsity", "seconds")},
        }
        for key, entry in entries.items()
        if key.startswith(f"{name}/") and "sparsity" in entry and entry["plan"] == learnt["plan"]
    ]
    wanted = ("weights", "width", "goal", "val", "test", "tasks", "examples")
    broken = {split: len(images) for split, images in learnt["broken"].items()}
    return {
        **{key: learnt[key] for key in wanted},
        # A run that an earlier version began says neither of its first tasks.
        "stem": learnt.get("stem"),
        "own_work": learnt.get("own_work", 1),
        "broken": broken,
        "stages": stages,
    }


if __name__ == "__main__":
    app()
