"""Are two faces one person? The protocol of LFW, and pairs for data that has none."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paenet.tasks.base import Metric
from paenet.tasks.errors import TaskError
from paenet.tasks.intervals import over_folds

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

FOLDS = 10
PAIRS_PER_FOLD = 300
"""Pairs of one person, and as many of two, in each fold of LFW."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What ten-fold verification found.

    Attributes:
        accuracy: mean over the folds, a share.
        std: standard deviation between the folds (the sample's).
        per_fold: accuracy of each fold, in the folds' order.
        thresholds: the cosine each fold was decided at, chosen on the other folds.
        interval: 95 % interval of `accuracy`, Student's t over the folds.
        pairs: how many pairs were decided.
    """

    accuracy: float
    std: float
    per_fold: tuple[float, ...]
    thresholds: tuple[float, ...]
    interval: tuple[float, float]
    pairs: int

    def metric(self) -> Metric:
        """The accuracy, as tasks report it."""
        return Metric(self.accuracy, *self.interval, self.pairs, "share")


def verify(
    embeddings_a: ArrayLike,
    embeddings_b: ArrayLike,
    same: ArrayLike,
    folds: ArrayLike,
    subtract_mean: bool = False,
) -> Verification:
    """Decides every pair by its cosine, at the threshold that is best on the other folds.

    The protocol of LFW (Huang et al., 2007, "image-restricted"), as FaceNet's evaluation does it.

    Args:
        embeddings_a, embeddings_b: (N, D), row i of both is pair i; of any length but 0.
        same: (N,), whether a pair is one person.
        folds: (N,), the fold of each pair, at least two different ones.
        subtract_mean: move the origin to the mean embedding of the other folds first.

    Raises:
        TaskError: where the arrays do not fit together, are not finite or hold no two folds.
    """
    a, b = _unit(embeddings_a), _unit(embeddings_b)
    same, folds = np.asarray(same, dtype=bool), np.asarray(folds)
    if a.shape != b.shape or not len(a) == len(same) == len(folds):
        raise TaskError(
            f"pairs do not fit together: embeddings {a.shape} and {b.shape}, "
            f"{len(same)} answers, {len(folds)} folds"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise TaskError(
            "embeddings are not finite; check the images and the network they came from"
        )
    names = check_folds(folds)
    per_fold, thresholds = [], []
    for name in names:
        held = folds == name
        if subtract_mean:
            origin = np.concatenate([a[~held], b[~held]]).mean(0)
            scores = (_unit(a - origin) * _unit(b - origin)).sum(1)
        else:
            scores = (a * b).sum(1)
        threshold = best_threshold(scores[~held], same[~held])
        per_fold.append(float(((scores[held] > threshold) == same[held]).mean()))
        thresholds.append(threshold)
    low, high = over_folds(per_fold)
    return Verification(
        fmean(per_fold),
        stdev(per_fold),
        tuple(per_fold),
        tuple(thresholds),
        (max(0.0, low), min(1.0, high)),
        len(same),
    )


def check_folds(folds: ArrayLike) -> NDArray[Any]:
    """The different folds of some pairs.

    Raises:
        TaskError: where there are not two.
    """
    names = np.unique(folds)
    if len(names) <= 1:
        raise TaskError(
            f"pairs are in {len(names)} fold; a threshold is chosen on other folds, so give two"
        )
    return names


def best_threshold(scores: Floats, same: Booleans) -> float:
    """The score above which pairs are called the same with fewest errors.

    Where several do as well, the middle one.

    Args:
        scores: (N,), N >= 1.
        same: (N,).
    """
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], same[order]
    # Entry i: right answers when the lowest i pairs are called different.
    right = np.r_[0, np.cumsum(~truth)] + np.r_[truth.sum(), truth.sum() - np.cumsum(truth)]
    cuts = np.r_[ordered[0] - 1, (ordered[:-1] + ordered[1:]) / 2, ordered[-1] + 1]
    # Between equal scores there is no cut.
    possible = np.r_[True, ordered[:-1] < ordered[1:], True]
    best = np.flatnonzero(possible & (right == right[possible].max()))
    return float(cuts[best[len(best) // 2]])


def average_flipped(embeddings: ArrayLike, flipped: ArrayLike) -> Floats:
    """One embedding from an image's and its mirror image's: (N, D) twice to (N, D), unit length."""
    return _unit(_unit(embeddings) + _unit(flipped))


@dataclass(frozen=True, slots=True)
class DrawnPairs:
    """Pairs of rows: `a[i]` and `b[i]` are one person if `same[i]`, in fold `fold[i]`."""

    a: Integers
    b: Integers
    same: Booleans
    fold: Integers


def draw_pairs(people: ArrayLike, seed: int = 0) -> DrawnPairs:
    """Draws a verification set from labelled rows as LFW was: no person is in two folds.

    Up to 300 pairs of one person and as many of two in each of up to 10 folds; the same rows and
    seed give the same pairs.

    Args:
        people: (N,), the identity of each row.
        seed: of the generator.

    Raises:
        TaskError: where there are not four people, two of them with two rows.
    """
    people = np.asarray(people)
    names, counts = np.unique(people, return_counts=True)
    several = int((counts > 1).sum())
    folds = min(FOLDS, several, len(names) // 2)
    if folds <= 1:
        raise TaskError(
            "verification needs four people, two of them with two images; the examples have "
            f"{len(names)} people, {several} with two images or more"
        )
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(names))
    # Those with several rows are dealt first: every fold then has a pair of one person.
    dealt = names[order][np.argsort(counts[order] <= 1, kind="stable")]
    pairs, same, fold_of = [], [], []
    for fold in range(folds):
        rows = np.flatnonzero(np.isin(people, dealt[fold::folds]))
        one, two = _pairs_within(people[rows], generator)
        size = min(len(one), len(two), PAIRS_PER_FOLD)
        pairs += [rows[one[:size]], rows[two[:size]]]
        same += [True] * size + [False] * size
        fold_of += [fold] * (2 * size)
    a, b = np.concatenate(pairs).T
    return DrawnPairs(a, b, np.array(same), np.array(fold_of))


def _pairs_within(people: NDArray[Any], generator: np.random.Generator) -> list[Integers]:
    """Pairs of rows of one person, and of two: shuffled, none twice, as many as were found."""
    rows = np.arange(len(people))
    draws = 4 * PAIRS_PER_FOLD
    mates = [group for name in np.unique(people) if len(group := rows[people == name]) > 1]
    one = [generator.choice(mates[generator.integers(len(mates))], 2, False) for _ in range(draws)]
    two = generator.integers(len(people), size=(draws, 2))
    two = two[people[two[:, 0]] != people[two[:, 1]]]
    return [
        generator.permutation(np.unique(np.sort(pairs, axis=1), axis=0))
        for pairs in (np.array(one), two)
    ]


def _unit(vectors: ArrayLike) -> Floats:
    vectors = np.asarray(vectors, dtype=np.float64)
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
