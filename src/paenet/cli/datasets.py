"""`pae datasets`: the published data sets that can be read as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.options import key_values
from paenet.cli.output import Json, emit, table

app = typer.Typer(help="The published data sets that can be read as they are.")


@app.callback(invoke_without_command=True)
def overview(context: typer.Context, as_json: Json = False) -> None:
    """All of them: where to get them, on which terms, and what the paper uses them for."""
    if context.invoked_subcommand is not None:
        return
    from paenet.datasets import PUBLISHED

    document = [
        {
            **{key: getattr(entry, key) for key in ("name", "title", "url", "terms", "paper")},
            "splits": list(entry.splits),
            "labels": list(entry.labels),
            "options": entry.options,
        }
        for entry in PUBLISHED.values()
    ]
    keys = ("name", "title", "url", "terms", "paper")
    columns = ("name", "data set", "where to get it", "terms", "in the paper")
    rows = [[entry[key] for key in keys] for entry in document]

    def show() -> None:
        table("Published data sets", columns, rows, text=len(columns))
        print("Look into a folder that has one: pae datasets check NAME DIR")

    emit(document, as_json, show)


@app.command("check")
def check(
    name: Annotated[str, typer.Argument(help="Of the data set; pae datasets lists them.")],
    root: Annotated[Path, typer.Argument(help="The folder that it was unpacked to.")],
    options: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Its options, as in a recipe: fold=1 needs=age."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Read one: how many examples it has by split and label, and what is left out and why."""
    from paenet import datasets

    found = datasets.survey(name, root, **key_values(options or []))
    emit(found, as_json, lambda: _show(found))


def _show(found: dict[str, Any]) -> None:
    splits = list(found["examples"])
    rows = [["examples", *(f"{found['examples'][split]:,}" for split in splits)]]
    for column, counts in found["labels"].items():
        if "different" in counts:
            different = [f"{counts['different'][split]:,}" for split in splits]
            rows.append([f"different {column}", *different])
        for value, by_split in counts.get("values", {}).items():
            title = f"{column}: {value or 'unknown'}"
            rows.append([title, *(f"{by_split[split]:,}" for split in splits)])
    table(f"{found['name']} in {found['root']}", ("", *splits), rows)
    if "pairs" in found:
        pairs, same, folds = (found["pairs"][key] for key in ("pairs", "same", "folds"))
        print(f"{pairs:,} pairs in {folds} folds, {same:,} of them of one person.")
    skipped = found["skipped"]
    if not skipped["rows"]:
        print("Nothing is left out.")
        return
    rows = [[r["reason"], "; ".join(r["first"]), f"{r['rows']:,}"] for r in skipped["reasons"]]
    table(f"Left out: {skipped['rows']:,} rows", ("why", "the first", "rows"), rows, text=2)
