"""The section of the page of results on exported models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.markdown import origin, table
from paenet.cli.output import interval, megabytes


def export(document: dict[str, Any]) -> Iterable[str]:
    """The section, line by line."""
    sizes = {kind: megabytes(size) for kind, size in document["bytes"].items()}
    yield origin(document)
    yield ""
    yield (
        f"The tasks of `{document['run']}` on their test data: as the pack's own networks "
        f"({sizes['pack']}), as one ONNX model in float32 ({sizes['float32']}) and as one in int8 "
        f"({sizes['int8']}), whose ranges come from {document['images']} training images."
    )
    yield ""
    rows = [
        (name, found["torch"]["metric"], *(interval(found[kind]) for kind in found))
        for name, found in document["tasks"].items()
    ]
    yield from table(("task", "metric", "torch", "ONNX, float32", "ONNX, int8"), rows)
