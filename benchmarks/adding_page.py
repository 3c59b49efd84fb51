"""The section of the page of results on adding a task to a pack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.markdown import origin, table
from paenet.cli.output import interval


def adding(document: dict[str, Any]) -> Iterable[str]:
    """The section, line by line."""
    yield origin(document)
    yield ""
    yield (
        f"`pae add` of **{document['task']}** to a pack of `{document['run']}` that holds "
        f"{document['beside']} alone, from the command to the file: with an empty cache, and with "
        "decoded images and activations in it. The goal is given as a number; one that is `within` "
        "the task's own network has this network trained first, once for every cache."
    )
    yield ""
    columns = ("cache", "minutes", "stem", "metric", "goal", "validation", "test")
    rows = [
        (
            kind,
            f"{found['seconds'] / 60:.1f}",
            found["stem"] or "none",
            found["goal"]["metric"],
            f"≥ {found['goal']['threshold']:.4f}{'' if found['goal']['met'] else ' (missed)'}",
            interval(found["validation"]),
            interval(found["test"]),
        )
        for kind, found in ((kind, document[kind]) for kind in ("cold", "warm"))
    ]
    yield from table(columns, rows)
