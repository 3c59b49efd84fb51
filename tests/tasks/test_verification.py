"""The protocol of LFW: thresholds from other folds, pairs without shared people."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.tasks import TaskError, average_flipped, draw_pairs, verify
from paenet.tasks.verification import best_threshold


def pairs_at(cosines: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of plane vectors with the given cosines, of various lengths."""
    angles = np.arccos(cosines)
    a = np.tile([2.0, 0.0], (len(cosines), 1))
    return a, 3 * np.c_[np.cos(angles), np.sin(angles)]


def test_each_fold_is_decided_at_the_threshold_of_the_others() -> None:
    # Fold 0 alone would choose 0.85 and be perfect; fold 1's threshold, 0.5, costs it a pair.
    cosines = [0.9, 0.8, 0.1, 0.7, 0.3, 0.2]
    same = [True, False, False, True, False, False]
    found = verify(*pairs_at(cosines), same, [0, 0, 0, 1, 1, 1])
    assert found.thresholds == pytest.approx((0.5, 0.85))
    assert found.per_fold == pytest.approx((2 / 3, 2 / 3))
    assert found.accuracy == pytest.approx(2 / 3)
    assert found.std == pytest.approx(0)
    assert found.pairs == 6


def test_people_that_are_clearly_apart_are_always_told_apart() -> None:
    same = [True, False] * 10
    found = verify(*pairs_at([0.9, 0.1] * 10), same, np.repeat(np.arange(10), 2))
    assert found.per_fold == (1.0,) * 10
    assert found.metric().value == 1
    assert found.metric().count == 20


def test_the_answers_of_a_fold_do_not_move_its_own_threshold() -> None:
    generator = np.random.default_rng(0)
    a, b = generator.normal(size=(2, 60, 8))
    same, folds = generator.random(60) < 0.5, np.arange(60) % 3
    turned = np.where(folds == 1, ~same, same)
    first, second = verify(a, b, same, folds), verify(a, b, turned, folds)
    assert first.thresholds[1] == second.thresholds[1]
    assert first.per_fold[1] == pytest.approx(1 - second.per_fold[1])


def test_subtracting_the_mean_undoes_a_common_offset() -> None:
    generator = np.random.default_rng(0)
    people = generator.normal(size=(40, 16))
    same = np.arange(40) % 2 == 0
    a = people + 0.3 * generator.normal(size=people.shape)
    b = np.where(same[:, None], people, -people) + 0.3 * generator.normal(size=people.shape)
    folds = np.arange(40) // 4
    centred = verify(a + 20, b + 20, same, folds, subtract_mean=True)
    assert centred.accuracy == 1
    assert np.abs(centred.thresholds).max() < 0.7  # around 0 again, not near 1


@given(st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=1, max_size=12))
def test_no_threshold_beats_the_best_one(rows: list[tuple[int, bool]]) -> None:
    scores, same = np.array([float(s) for s, _ in rows]), np.array([t for _, t in rows])
    every = [((scores > cut) == same).sum() for cut in np.arange(-5, 5.5, 0.5)]
    assert ((scores > best_threshold(scores, same)) == same).sum() == max(every)


def test_folds_and_lengths_are_checked() -> None:
    a, b = pairs_at([0.9, 0.1])
    with pytest.raises(TaskError, match="1 fold"):
        verify(a, b, [True, False], [0, 0])
    with pytest.raises(TaskError, match="do not fit"):
        verify(a, b, [True], [0, 1])
    with pytest.raises(TaskError, match="not finite"):
        verify(a, b * np.nan, [True, False], [0, 1])


def test_a_face_and_its_mirror_image_count_alike() -> None:
    a, b = np.array([[4.0, 0.0]]), np.array([[0.0, 1.0]])
    assert average_flipped(a, b) == pytest.approx(np.full((1, 2), 0.5**0.5))


PEOPLE = np.repeat([f"p{i:02}" for i in range(30)], [1, 3, 5] * 10)


def test_drawn_pairs_are_balanced_and_share_no_person_between_folds() -> None:
    pairs = draw_pairs(PEOPLE)
    assert np.array_equal(PEOPLE[pairs.a] == PEOPLE[pairs.b], pairs.same)
    folds = [set(PEOPLE[np.r_[pairs.a, pairs.b][np.tile(pairs.fold == f, 2)]]) for f in range(10)]
    assert all(not one & two for one, two in combinations(folds, 2))
    for fold in range(10):
        same = pairs.same[pairs.fold == fold]
        assert 0 < same.sum() == (~same).sum()
    assert len({frozenset(pair) for pair in zip(pairs.a, pairs.b, strict=True)}) == len(pairs.a)


def rows_of(seed: int) -> list[tuple[int, int]]:
    pairs = draw_pairs(PEOPLE, seed)
    return list(zip(pairs.a.tolist(), pairs.b.tolist(), strict=True))


def test_drawn_pairs_are_the_same_every_time() -> None:
    first, second, other = (rows_of(seed) for seed in (0, 0, 1))
    assert first == second
    assert first != other


def test_few_people_make_few_folds_and_too_few_are_refused() -> None:
    assert set(draw_pairs(["a", "a", "b", "b", "c", "d"]).fold) == {0, 1}
    with pytest.raises(TaskError, match="4 people, 1 with two images"):
        draw_pairs(["a", "a", "b", "c", "d"])
