"""What a stage must reach: the goal, or what a task that missed it settles for."""

import pytest

from paenet.training.algorithm.threshold import Threshold


def test_until_a_task_settles_it_is_the_goal_whatever_is_reached() -> None:
    threshold = Threshold(0.9, within=0.1)
    threshold.note(0.95)
    threshold.note(0.5)
    assert threshold.value == 0.9
    assert threshold.holds(0.9)
    assert not threshold.holds(0.899)


def test_a_task_that_missed_settles_for_what_it_reached_as_loosely_as_its_goal() -> None:
    threshold = Threshold(0.9, within=0.1)
    threshold.settle_for(0.8)
    assert threshold.value == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("reached", "value"),
    [
        pytest.param(0.75, 0.7, id="less"),
        pytest.param(0.85, 0.75, id="more, but not the goal"),
        pytest.param(0.9, 0.9, id="the goal"),
        pytest.param(1.05, 0.9, id="more than the goal"),
    ],
)
def test_it_rises_with_what_a_later_stage_reaches_up_to_the_goal(
    reached: float, value: float
) -> None:
    threshold = Threshold(0.9, within=0.1)
    threshold.settle_for(0.8)
    threshold.note(reached)
    threshold.note(0.1)  # and does not fall again
    assert threshold.value == pytest.approx(value)
