"""`pae report`: finished runs in the paper's tables, beside published figures."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.options import Own
from paenet.cli.output import Json, emit, table

_WIDEST = 6  # modules that stand side by side


def report(
    runs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Directories of runs, or packs; several are averaged, as folds of one experiment."
        ),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Print the published figures alone.")
    ] = False,
    backbone: Own = None,
    as_json: Json = False,
) -> None:
    """Accuracy and size of each module in the paper's tables, beside published figures."""
    from paenet import training

    if published:
        figures = training.published_figures()
        emit(figures, as_json, lambda: _show_published(figures))
        return
    document = training.report(runs or [], backbone=backbone)
    emit(document, as_json, lambda: _show(document))


def _show(document: dict[str, Any]) -> None:
    rows, columns = document["rows"], document["columns"]
    marks = {source: f"[{number}]" for number, source in enumerate(document["sources"], 1)}
    models = [f"{row['model']} {marks.get(row['source'], '')}".strip() for row in rows]
    modules = [column["module"] for column in columns]
    headings = [_heading(column) for column in columns]
    _grid("Accuracy on test data, %", models, rows, headings, [_accuracy(n) for n in modules])
    if any("average" in row for row in rows):
        _grid(
            "Mean over the tasks, %, and weights in those of one network",
            models,
            rows,
            ["accuracy", "weights"],
            [_number("average", "{:.1f}"), _number("weights", "{:.2g}")],
        )
    _grid("Size in MB, in the paper's accounting", models, rows, modules, [_mb(n) for n in modules])
    groups = list(rows[0]["together"])
    _grid(
        "Several modules in one network: MB, and % of networks of their own",
        models,
        rows,
        [_short(group, len(modules)) for group in groups],
        [_together(group) for group in groups],
    )
    limited = [run["run"] for run in document["runs"] if run["limit"] is not None]
    if limited:
        print(f"Tried on a part of the data (--limit), so that figures mean nothing: {limited[0]}")
    _sources({marks[key]: words for key, words in document["sources"].items()})


def _show_published(figures: dict[str, Any]) -> None:
    marks = {source: f"[{number}]" for number, source in enumerate(figures["sources"], 1)}
    table(
        "One module",
        ("module", "data", "model", "source", "accuracy, %", "MB"),
        [
            (
                row["module"],
                row["data"],
                row["model"],
                marks[row["source"]],
                _spread(row.get("accuracy"), row.get("deviation"), 2),
                _spread(row.get("mb"), None),
            )
            for row in figures["modules"]
        ],
        text=4,
    )
    table(
        "Several modules in one network",
        ("modules", "model", "source", "MB", "% of networks of their own"),
        [
            (
                ", ".join(row["modules"]),
                row["model"],
                marks[row["source"]],
                _spread(row.get("mb"), None),
                _spread(row.get("share"), None),
            )
            for row in figures["together"]
        ],
        text=3,
    )
    table(
        "CIFAR-100 in twenty tasks",
        ("model", "source", "mean accuracy, %", "weights of one network"),
        [
            (
                row["model"],
                marks[row["source"]],
                _spread(row["accuracy"], None),
                f"{row['weights']:g}" if "weights" in row else "",
            )
            for row in figures["cifar100"]
        ],
        text=2,
    )
    _sources({marks[key]: words for key, words in figures["sources"].items()})


Cell = Callable[[dict[str, Any]], str]


def _grid(
    title: str,
    models: Sequence[str],
    rows: Sequence[dict[str, Any]],
    headings: Sequence[str],
    cells: Sequence[Cell],
) -> None:
    """Models below each other, or side by side where there are many columns; none that is empty."""
    filled = [
        (model, [cell(row) for cell in cells]) for model, row in zip(models, rows, strict=True)
    ]
    filled = [(model, texts) for model, texts in filled if any(texts)]
    if not filled:
        return
    if len(headings) <= _WIDEST:
        table(title, ("model", *headings), [(model, *texts) for model, texts in filled])
    else:
        turned = zip(*(texts for _, texts in filled), strict=True)
        pairs = zip(headings, turned, strict=True)
        named = [(heading, *texts) for heading, texts in pairs]
        table(title, ("module", *(model for model, _ in filled)), named)


def _heading(column: dict[str, Any]) -> str:
    """The module, its data, and what is measured where that is no share."""
    metric = None if column["unit"] in (None, "share") else column["metric"]
    beside = ", ".join(filter(None, (metric, column["data"])))
    return f"{column['module']} ({beside})" if beside else column["module"]


def _short(group: str, count: int) -> str:
    names = group.split(" + ")
    return group if len(names) < count or count == 2 else f"all {count}"


def _accuracy(module: str) -> Cell:
    def cell(row: dict[str, Any]) -> str:
        found = row["accuracy"].get(module)
        if found is None:
            return ""
        if "low" in found:
            return f"{found['value']:.1f} ({found['low']:.1f}–{found['high']:.1f})"
        return _spread(found["value"], found.get("deviation"), 2)

    return cell


def _mb(module: str) -> Cell:
    def cell(row: dict[str, Any]) -> str:
        found = row["mb"].get(module, {})
        return _spread(found.get("value"), found.get("deviation"))

    return cell


def _together(group: str) -> Cell:
    def cell(row: dict[str, Any]) -> str:
        found = row["together"].get(group, {})
        share = f"{found['share']:.1f} %" if "share" in found else ""
        return ", ".join(filter(None, (_spread(found.get("mb"), found.get("deviation")), share)))

    return cell


def _number(key: str, form: str) -> Cell:
    return lambda row: form.format(row[key]) if key in row else ""


def _spread(value: float | None, deviation: float | None, digits: int = 1) -> str:
    if value is None:
        return ""
    text = f"{value:.{digits}f}"
    return text if deviation is None else f"{text} ± {deviation:.{digits}f}"


def _sources(words: dict[str, str]) -> None:
    lines: Iterable[str] = (
        textwrap.fill(f"{mark} {text}", 80, subsequent_indent="    ")
        for mark, text in words.items()
    )
    print("\n".join(lines))
