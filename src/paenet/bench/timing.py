"""Two pieces of work against each other, in one process, taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

Work = Callable[[], object]


def timed(work: Work) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def ratio(one: Work, other: Work, repeats: int) -> float:
    """The median time of `one` by that of `other`, over twice as many calls of each as `repeats`.

    Each goes first as often: memory that one gave back is at hand for the other.
    """
    sides = (one, other)
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(2 * repeats):
        for side in (0, 1) if turn % 2 == 0 else (1, 0):
            seconds[side].append(timed(sides[side]))
    return statistics.median(seconds[0]) / statistics.median(seconds[1])
