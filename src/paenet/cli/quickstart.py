"""`pae quickstart`: the whole story on built-in synthetic faces."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.info import describe_pack, show
from paenet.cli.options import Limit
from paenet.cli.output import Json, emit, table


def quickstart(
    folder: Annotated[Path, typer.Argument(help="Where the run is kept.")] = Path("quickstart"),
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """Four tasks in one network, one after another, on faces that paenet draws: in minutes."""
    from paenet import training

    training.keep_freed_memory()
    path = training.quickstart(folder, limit=limit, reporter=training.Live())
    steps = training.read_record(folder)
    document = describe_pack(path)
    learnt = [entry for entry in steps if entry["key"].endswith("/learnt")]
    emit({**document, "steps": learnt}, as_json, lambda: _show(document, learnt))


def _show(document: dict[str, Any], learnt: list[dict[str, Any]]) -> None:
    show(document)
    rows = []
    for entry in learnt:
        name = entry["key"].partition("/")[0]
        first = entry["tasks"][name]["fingerprint"]
        last = learnt[-1]["tasks"][name]["fingerprint"]
        same = "identical" if first == last else "CHANGED"
        rows.append((name, first[:12], last[:12], same))
    columns = ("task", "when learnt", "at the end", "")
    table("Fingerprints: every task is what it was when it was learnt", columns, rows)
    print(f"Try: pae check {document['file']}")
