"""Which weights go, and how many at each stage."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from paenet.packing import PackingError, Schedule, Trial, largest_held, next_share
from paenet.packing.pruning import keep_largest


def test_the_ramp_is_cubic() -> None:
    # Zhu & Gupta (2017), eq. 1, by hand: s_f + (s_i - s_f) (1 - t)^3.
    schedule = Schedule(end=0.8, stages=4)
    assert [schedule.at(stage) for stage in range(5)] == pytest.approx(
        [0, 0.4625, 0.7, 0.7875, 0.8]
    )
    later = Schedule(start=0.5, end=0.9, stages=2)
    assert [later.at(stage) for stage in range(3)] == pytest.approx([0.5, 0.85, 0.9])


@given(st.floats(0, 0.99), st.floats(0, 0.99), st.integers(1, 20))
def test_the_ramp_runs_from_start_to_end_and_never_back(a: float, b: float, stages: int) -> None:
    start, end = sorted((a, b))
    shares = [Schedule(end, stages, start).at(stage) for stage in range(stages + 1)]
    assert shares[0] == pytest.approx(start)
    assert shares[-1] == end
    assert all(x <= y + 1e-12 for x, y in pairwise(shares))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"end": 1.0, "stages": 3}, "from 0.0 to 1.0"),
        ({"end": -0.1, "stages": 3}, "from 0.0 to -0.1"),
        ({"end": 0.3, "stages": 3, "start": 0.5}, "from 0.5 to 0.3"),
        ({"end": float("nan"), "stages": 3}, "nan"),
        ({"end": 0.5, "stages": 0}, "in 0 stages"),
    ],
)
def test_a_schedule_out_of_range_is_refused(arguments: dict[str, float], named: str) -> None:
    with pytest.raises(PackingError, match=named):
        Schedule(**arguments)


RAMP = Schedule(end=0.8, stages=2)  # 0.7, then 0.8


@pytest.mark.parametrize(
    ("tried", "bisections", "share"),
    [
        # The ramp, while the goal holds.
        ([], 0, 0.7),
        ([(0.7, True)], 0, 0.8),
        ([(0.7, True), (0.8, True)], 3, None),
        # A miss ends it,
        ([(0.7, False)], 0, None),
        ([(0.7, True), (0.8, False)], 0, None),
        # or begins the bisections: between the largest that held and the smallest that missed.
        ([(0.7, False)], 1, 0.35),
        ([(0.7, True), (0.8, False)], 2, 0.75),
        ([(0.7, True), (0.8, False), (0.75, True)], 2, 0.775),
        ([(0.7, True), (0.8, False), (0.75, False)], 2, 0.725),
        ([(0.7, True), (0.8, False), (0.75, False), (0.725, True)], 2, None),
        ([(0.7, False), (0.35, False)], 2, 0.175),
        ([(0.7, False), (0.35, True)], 2, 0.525),
    ],
)
def test_the_next_share_follows_from_what_was_tried(
    tried: list[tuple[float, bool]], bisections: int, share: float | None
) -> None:
    trials = [Trial(*trial) for trial in tried]
    assert next_share(RAMP, trials, bisections) == (None if share is None else pytest.approx(share))


def test_bisections_begin_at_the_schedules_start_where_nothing_held() -> None:
    schedule = Schedule(start=0.4, end=0.8, stages=1)
    assert largest_held(schedule, []) == 0.4
    assert next_share(schedule, [Trial(0.8, False)], 1) == pytest.approx(0.6)


@given(st.lists(st.booleans(), min_size=20, max_size=20), st.integers(1, 6), st.integers(0, 6))
def test_the_search_ends_and_what_missed_is_never_tried_again(
    verdicts: list[bool], stages: int, bisections: int
) -> None:
    schedule = Schedule(end=0.9, stages=stages)
    trials: list[Trial] = []
    for held in verdicts:
        share = next_share(schedule, trials, bisections)
        if share is None:
            break
        assert largest_held(schedule, trials) < share
        assert all(share < trial.share for trial in trials if not trial.held)
        trials.append(Trial(share, held))
    assert next_share(schedule, trials, bisections) is None
    assert len(trials) <= stages + bisections


def kept(rank: str, counts: dict[str, int], owned: dict[str, Tensor] | None = None) -> list[int]:
    weights = {
        "one": torch.tensor([5.0, -4.0, 1.0]),
        "two": torch.tensor([[-9.0, 8.0], [3.0, 7.0]]),
    }
    if owned is None:
        owned = {
            name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()
        }
    masks = keep_largest(weights, owned, counts, rank)
    return [abs(int(v)) for name, weight in weights.items() for v in weight[masks[name]]]


def test_ranked_per_layer_each_keeps_its_count_of_the_largest() -> None:
    assert kept("layer", {"one": 2, "two": 1}) == [5, 4, 9]


def test_ranked_globally_the_largest_of_the_network_stay() -> None:
    assert kept("global", {"one": 2, "two": 1}) == [9, 8, 7]


def test_only_what_is_owned_competes() -> None:
    owned = {"one": torch.tensor([False, True, True]), "two": torch.zeros(2, 2, dtype=torch.bool)}
    assert kept("layer", {"one": 1, "two": 3}, owned) == [4]
    assert kept("global", {"one": 1, "two": 0}, owned) == [4]


def test_nothing_is_taken_back_where_fewer_are_owned() -> None:
    owned = {"one": torch.tensor([False, False, True]), "two": torch.zeros(2, 2, dtype=torch.bool)}
    assert kept("layer", {"one": 3, "two": 4}, owned) == [1]


@pytest.mark.parametrize("rank", ["layer", "global"])
def test_ties_go_by_position(rank: str) -> None:
    weights = {"a": torch.tensor([2.0, -1.0, 1.0]), "b": torch.tensor([1.0, -1.0, 0.5])}
    owned = {name: torch.ones(3, dtype=torch.bool) for name in weights}
    masks = keep_largest(weights, owned, {"a": 2, "b": 2}, rank)
    assert masks["a"].tolist() == ([True, True, False] if rank == "layer" else [True, True, True])
    assert masks["b"].tolist() == ([True, True, False] if rank == "layer" else [True, False, False])


@given(st.lists(st.sampled_from([-2.0, -1.0, 0.0, 1.0, 2.0]), min_size=1), st.floats(0, 1))
def test_as_many_stay_as_asked_for_whatever_the_ties(values: list[float], share: float) -> None:
    weight = torch.tensor(values)
    count = round(len(values) * share)
    mask = keep_largest(
        {"w": weight}, {"w": torch.ones_like(weight).bool()}, {"w": count}, "layer"
    )["w"]
    assert int(mask.sum()) == count
    if 0 < count < len(values):
        assert weight[mask].abs().min() >= weight[~mask].abs().max()


def test_an_unknown_rank_is_refused() -> None:
    with pytest.raises(PackingError, match="rank='layers': give layer or global"):
        kept("layers", {"one": 1, "two": 1})
