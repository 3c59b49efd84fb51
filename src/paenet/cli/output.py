"""What commands print: one JSON document, or a table for a person."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def emit(document: Any, as_json: bool, show: Callable[[], None]) -> None:
    """Prints `document` as JSON on stdout, or calls `show`."""
    if os.environ.get("RANK", "0") != "0":  # one of several processes that share a run
        return
    if as_json:
        print(printable(json.dumps(document, indent=2, ensure_ascii=False)))
    else:
        show()


def printable(text: str) -> str:
    """A text that may hold a file's name that is no Unicode, with the bytes it has."""
    return text.encode("utf-8", "backslashreplace").decode()


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], text: int = 1) -> None:
    """Prints a table; the first `text` columns are text, the others are numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    sheet = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    for index, column in enumerate(columns):
        sheet.add_column(column, justify="left" if index < text else "right", overflow="fold")
    for row in rows:
        sheet.add_row(*row)
    console = Console(markup=False, highlight=False)
    console.print(title, style="bold", soft_wrap=True)  # a path in it stays in one piece
    console.print(sheet)


def interval(metric: dict[str, Any]) -> str:
    """A metric with its 95 % interval, as a person reads it: `93.1 % (91.4–94.5)`."""
    if metric["unit"] == "share":
        value, low, high = (f"{100 * metric[key]:.1f}" for key in ("value", "low", "high"))
        return f"{value} % ({low}–{high})"
    digits = 2 if metric["unit"] == "years" else 3
    value, low, high = (f"{metric[key]:.{digits}f}" for key in ("value", "low", "high"))
    unit = " years" if metric["unit"] == "years" else ""
    return f"{value}{unit} ({low}–{high})"


def megabytes(count: float) -> str:
    """Bytes in MiB, as the paper counts; in KiB where they are few."""
    from paenet.packfile.accounting import MIB

    return f"{count / MIB:.1f} MB" if count >= MIB / 10 else f"{count / 2**10:.1f} kB"
