"""How much memory loading takes, seen from outside: in a process that does nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import json, sys
from paenet import packfile

def memory(key):
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key))

path, task = sys.argv[1], sys.argv[2] or None
packfile.describe(path)
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")  # the peak starts anew
before = memory("VmRSS")
networks = packfile.load(path, None if task is None else [task])
tensors = [t for n in networks.values() for t in n.state_dict().values()]
size = sum(t.numel() * t.element_size() for t in tensors)
print(json.dumps((memory("VmHWM") - before) / size))
"""


def peak_of_loading(path: Path, task: str | None) -> float | None:
    """The peak of memory while tasks are loaded, by the size of the modules.

    Args:
        path: of the pack.
        task: the one to load; all of them where None.

    Returns:
        None where the system does not tell (anywhere but on Linux).
    """
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(path), task or ""],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        return None
    peak: float = json.loads(done.stdout)
    return peak
