"""Pieces of work against each other, in one process, taking turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection

Work = Callable[[], object]


def timed(work: Work) -> float:
    """Seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def medians(works: Collection[Work], repeats: int) -> dict[Work, float]:
    """The median seconds of every piece of work, over twice as many calls of each as `repeats`.

    Of any two, each goes first as often: memory that one gave back is at hand for the other.
    """
    order = list(works)
    seconds: dict[Work, list[float]] = {work: [] for work in order}
    for turn in range(2 * repeats):
        for work in order if turn % 2 == 0 else reversed(order):
            seconds[work].append(timed(work))
    return {work: statistics.median(values) for work, values in seconds.items()}


def ratio(one: Work, other: Work, repeats: int) -> float:
    """The median time of `one` by that of `other`; see `medians`."""
    seconds = medians([one, other], repeats)
    return seconds[one] / seconds[other]
