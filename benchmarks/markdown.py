"""What every section of the page of results is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def origin(document: dict[str, Any]) -> str:
    """The command that wrote a document, and where it ran."""
    versions = document["versions"]
    return (
        f"`{document['command']}` with paenet {versions['paenet']}, torch {versions['torch']}, "
        f"Python {versions['python']} on {place(versions)}."
    )


def place(versions: dict[str, Any]) -> str:
    """The device that computed."""
    threads = versions["threads"]
    return versions["cuda"] or (
        f"{versions['processor']}, {threads} thread{'' if threads == 1 else 's'}"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The lines of a table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
