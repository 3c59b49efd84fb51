"""Where measurements are put on record."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

from paenet import training

RESULTS = Path("docs/results")


def record(kind: str, module: str, found: dict[str, Any]) -> None:
    """Writes docs/results/KIND.json, with the command that this process was started by.

    Args:
        kind: of section on the page of results.
        module: `benchmarks.NAME`, which was run.
        found: what it measured.
    """
    document = {
        "kind": kind,
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "versions": training.versions(),
        **found,
    }
    path = RESULTS / f"{kind}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(path)
