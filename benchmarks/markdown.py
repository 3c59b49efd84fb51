"""Tables in Markdown, and where a document's figures come from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def origin(document: dict[str, Any]) -> str:
    """The command that made a document, the versions and the machine."""
    versions = document["versions"]
    where = versions["cuda"] or f"{versions['processor']}, {versions['threads']} threads"
    return (
        f"`{document['command']}` with paenet {versions['paenet']}, torch {versions['torch']}, "
        f"Python {versions['python']} on {where}."
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """The lines of a table."""
    yield "| " + " | ".join(columns) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(row) + " |"
