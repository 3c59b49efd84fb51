"""95 % intervals: for a share, for a mean, for a mean over folds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, stdev

import numpy as np
from numpy.typing import ArrayLike

CONFIDENCE = 0.95
RESAMPLES = 2000
_DRAWN = 2**16  # values at a time: all resamples of a large split would not fit in memory
Z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The score interval of a share (Wilson, 1927), which holds for small counts and near 0 and 1.

    Args:
        successes: from 0 to `count`.
        count: >= 1.
    """
    share = successes / count
    centre = share + Z**2 / (2 * count)
    half = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    scale = 1 + Z**2 / count
    # Clamped, because rounding may otherwise leave a share of 1 just outside its own interval.
    return max(0.0, min(share, (centre - half) / scale)), min(
        1.0, max(share, (centre + half) / scale)
    )


def bootstrap(
    values: ArrayLike, groups: ArrayLike | None = None, seed: int = 0
) -> tuple[float, float]:
    """The percentile interval of a mean, or of a mean over groups' means (Efron, 1979).

    Rows are drawn again within their group, so every group keeps its size. Where all values of
    a group are equal the interval does not know how uncertain that group is; it is then narrow.

    Args:
        values: (N,), N >= 1.
        groups: (N,), which group each value belongs to; None for one group.
        seed: of the generator; the same input and seed give the same interval.
    """
    values = np.asarray(values, dtype=np.float64)
    labels = np.zeros(len(values), np.int64) if groups is None else np.asarray(groups)
    generator = np.random.default_rng(seed)
    means = np.zeros(RESAMPLES)
    names = np.unique(labels)
    for name in names:
        members = values[labels == name]
        together = max(1, _DRAWN // len(members))
        for first in range(0, RESAMPLES, together):
            several = min(together, RESAMPLES - first)
            drawn = generator.integers(len(members), size=(several, len(members)))
            means[first : first + several] += members[drawn].mean(axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means / len(names), [tail, 1 - tail])
    return float(low), float(high)


def over_folds(values: Sequence[float]) -> tuple[float, float]:
    """Student's t interval of the mean over folds.

    Args:
        values: one for each fold, at least two.
    """
    half = t_quantile(len(values) - 1) * stdev(values) / math.sqrt(len(values))
    mean = fmean(values)
    return mean - half, mean + half


def t_quantile(freedom: int) -> float:
    """The two-sided 95 % quantile of Student's t, e.g. 2.262 at 9 degrees of freedom.

    Args:
        freedom: degrees of freedom, >= 1.
    """
    low, high = 0.0, 1.0
    while _t_within(high, freedom) < CONFIDENCE:
        high *= 2
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_within(middle, freedom) < CONFIDENCE else (low, middle)
    return high


def _t_within(t: float, freedom: int) -> float:
    """P(|T| <= t) for whole degrees of freedom (Abramowitz & Stegun, 26.7.3 and 26.7.4)."""
    angle = math.atan(t / math.sqrt(freedom))
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    term = cosine if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(2 + odd, freedom, 2):
        term *= (k - 1) / k * cosine**2
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
