"""What only a process of its own can tell: memory, and the time to a first answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_MEMORY = """
import json, sys
import torch
from torch import nn
from paenet import backbones, packfile
from paenet.engine import Engine

def memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("RssAnon"))

path, what, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
images = torch.zeros(1, 3, size, size)
with torch.inference_mode():
    nn.Conv2d(3, 8, 3)(images)  # what torch needs to compute anything at all
    before = memory()
    if what == "engine":
        network = Engine(path, dtype="float32")
    else:
        base = packfile.describe(path)["base"]
        network = packfile.load(path, [base])[base].to(memory_format=torch.channels_last)
    network(images)
print(json.dumps(memory() - before))
"""

_ANSWER = """
import json, sys, time
import torch
imported = time.time()
from paenet import Engine
Engine(sys.argv[1], dtype="float32")(torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[2])))
print(json.dumps([imported, time.time()]))
"""


def memory_over_dense(path: Path, size: int) -> float | None:
    """The memory of an engine that has answered once, by that of one dense network.

    Args:
        path: of a pack file.
        size: side of its images.

    Returns:
        None where the system does not tell (anywhere but on Linux).
    """
    engine, dense = (_told(_MEMORY, str(path), what, str(size)) for what in ("engine", "dense"))
    return engine / dense if engine and dense else None


def first_answer(path: Path, size: int) -> dict[str, float] | None:
    """Seconds from the start of a process to the first answer of an engine.

    Returns:
        `total`, and of it `ours`: all but starting Python and importing torch; None where the
        process failed.
    """
    started = time.time()
    told = _told(_ANSWER, str(path), str(size))
    if told is None:
        return None
    imported, answered = told
    return {"total": answered - started, "ours": answered - imported}


def _told(program: str, *arguments: str) -> Any:
    """What a program prints as JSON; None where it fails."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    return json.loads(done.stdout) if done.returncode == 0 else None
