"""How many can work at once, and what every process does that works for another one."""

from __future__ import annotations

import os
import signal
import threading
from multiprocessing import connection, parent_process


def processors() -> int:
    """How many this process may use: fewer than the machine has under `taskset` or in a cpuset."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def become_worker(threads: int) -> None:
    """Makes this process a worker: so many threads, deaf to Ctrl-C, and gone when its parent is."""
    import torch  # here, as `processors` is asked for where nothing needs it

    # Ctrl-C reaches every process of a terminal; the parent decides what ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, daemon=True).start()
    torch.set_num_threads(threads)


def _follow_parent() -> None:
    """A killed parent tells nobody, and its workers would work, or wait for work, for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
