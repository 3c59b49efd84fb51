"""The section of the page of results on faces of another data set."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.markdown import origin, table
from paenet.cli.output import interval


def unseen(document: dict[str, Any]) -> Iterable[str]:
    """The section, line by line."""
    yield origin(document)
    yield ""
    yield f"All faces of `{document['data']}`, from which nothing was learnt."
    yield ""
    yield from table(
        ("run", "task", "faces", "metric", "on them"),
        [
            (f"`{run}`", task, f"{found['count']:,}", metric, interval(figure))
            for run, tasks in document["runs"].items()
            for task, found in tasks.items()
            for metric, figure in found["metrics"].items()
        ],
    )
