"""What only a process of its own can tell: memory, and the time to a first answer."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from paenet.packfile import PackFileError

_PROCESSES = 3  # of a dense network malloc keeps now nothing and now as much as its weights take
_STATUS = """
import json, sys

def untold():
    print("null")
    sys.exit()

def memory(key):
    try:
        with open("/proc/self/status") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))
    except (OSError, StopIteration):
        untold()
"""

_MEMORY = f"""{_STATUS}
import torch
from torch import nn
from paenet import packfile
from paenet.engine import Engine

path, what, size, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
images = torch.zeros(batch, 3, size, size)
with torch.inference_mode():
    nn.Conv2d(3, 8, 3)(images[:1])  # what torch needs to compute anything at all
    before = memory("RssAnon")
    if what == "engine":
        network = Engine(path, dtype="float32")
    else:
        base = packfile.describe(path)["base"]
        network = packfile.load(path, [base])[base].to(memory_format=torch.channels_last)
    network(images)
print(json.dumps(memory("RssAnon") - before))
"""

_LOADING = f"""{_STATUS}
from paenet import packfile

path, task = sys.argv[1], json.loads(sys.argv[2])
packfile.describe(path)
try:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")  # the peak starts anew
except OSError:
    untold()
before = memory("VmRSS")
networks = packfile.load(path, None if task is None else [task])
tensors = [t for n in networks.values() for t in n.state_dict().values()]
size = sum(t.numel() * t.element_size() for t in tensors)
print(json.dumps((memory("VmHWM") - before) / size))
"""

_ANSWER = """
import json, sys, time
import torch
imported = time.time()
from paenet import Engine
Engine(sys.argv[1], dtype="float32")(torch.zeros(1, 3, int(sys.argv[2]), int(sys.argv[2])))
print(json.dumps([imported, time.time()]))
"""


def memory_over_dense(path: Path, size: int, batches: Sequence[int]) -> dict[str, float] | None:
    """The memory of an engine that has answered one batch, by that of one dense network.

    Args:
        path: of a pack file.
        size: side of its images.
        batches: of images; each is measured in processes of its own, and the median taken.

    Returns:
        By batch; None where the system does not tell (anywhere but on Linux).

    Raises:
        PackFileError: where a process failed.
    """
    found = {}
    for batch in map(str, batches):
        engine, dense = (
            [_told(_MEMORY, str(path), what, str(size), batch) for _ in range(_PROCESSES)]
            for what in ("engine", "dense")
        )
        if not all((*engine, *dense)):
            return None
        found[batch] = median(engine) / median(dense)
    return found


def peak_of_loading(path: Path, task: str | None) -> float | None:
    """The peak of memory while tasks are loaded, by the size of the modules.

    Args:
        path: of the pack.
        task: the one to load; all of them where None.

    Returns:
        None where the system does not tell (anywhere but on Linux).

    Raises:
        PackFileError: where the process failed.
    """
    peak: float | None = _told(_LOADING, str(path), json.dumps(task))
    return peak


def first_answer(path: Path, size: int) -> dict[str, float]:
    """Seconds from the start of a process to the first answer of an engine.

    Returns:
        `total`, and of it `ours`: all but starting Python and importing torch.

    Raises:
        PackFileError: where the process failed.
    """
    started = time.time()
    imported, answered = _told(_ANSWER, str(path), str(size))
    return {"total": answered - started, "ours": answered - imported}


def _told(program: str, *arguments: str) -> Any:
    """What a program prints as JSON.

    Raises:
        PackFileError: where it fails, with the last line of what it said.
    """
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise PackFileError(
            f"{arguments[0]}: cannot be measured in a process of its own: {said[-1]}"
        )
    return json.loads(done.stdout)
