"""Intervals against published values, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.tasks import intervals
from paenet.tasks.intervals import bootstrap, over_folds, t_quantile, wilson


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I, method 3.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_share_and_stays_between_0_and_1(case: tuple[int, int]) -> None:
    low, high = wilson(*case)
    assert 0 <= low <= case[0] / case[1] <= high <= 1
    assert low < high


@pytest.mark.parametrize(
    ("freedom", "quantile"), [(1, 12.706), (2, 4.303), (3, 3.182), (9, 2.262), (30, 2.042)]
)
def test_students_t_agrees_with_the_tables(freedom: int, quantile: float) -> None:
    assert t_quantile(freedom) == pytest.approx(quantile, abs=5e-4)


def test_over_folds_is_students_interval() -> None:
    assert over_folds([0.9, 1.0]) == pytest.approx(
        (0.95 - 12.706 * 0.05, 0.95 + 12.706 * 0.05), 1e-4
    )


def test_bootstrap_of_a_mean_is_near_the_normal_interval() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    half = 1.96 * values.std() / 20
    assert bootstrap(values) == pytest.approx(
        (values.mean() - half, values.mean() + half), abs=0.03
    )


def test_bootstrap_over_groups_gives_every_group_the_same_say() -> None:
    values = np.r_[np.ones(990), np.tile([0.0, 1.0], 5)]
    low, high = bootstrap(values, np.r_[np.zeros(990), np.ones(10)])
    assert low < 0.75 < high
    assert high - low > 0.2  # as unsure as its ten


@pytest.mark.parametrize("count", [1, 7, 3000])
def test_bootstrap_is_that_of_resamples_drawn_one_by_one(count: int) -> None:
    values = np.random.default_rng(1).normal(size=count)
    generator = np.random.default_rng(0)
    means = [
        values[generator.integers(count, size=count)].mean() for _ in range(intervals.RESAMPLES)
    ]
    tail = (1 - intervals.CONFIDENCE) / 2
    assert bootstrap(values) == tuple(np.quantile(means, [tail, 1 - tail]))


def test_bootstrap_is_the_same_every_time() -> None:
    values = np.arange(30.0)
    np.random.seed(1)
    first = bootstrap(values)
    np.random.seed(2)
    assert bootstrap(values) == first
    assert bootstrap(values, seed=1) != first
