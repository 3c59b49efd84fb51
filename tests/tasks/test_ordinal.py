"""Age from years, from groups, and from both at once."""

import math

import pytest
import torch

from paenet.tasks import Ordinal, TaskError
from paenet.tasks.ages import YEARS, soft_years

AGE = Ordinal(name="age")


def sure_of(*years: int) -> torch.Tensor:
    return 1e4 * torch.eye(YEARS)[list(years)]


def test_years_have_their_group_and_groups_have_no_years() -> None:
    targets = AGE.encode({"age": ["31", "(8, 12)", "22", "60+", "116"]})
    assert targets[:, 1].tolist() == [4, 2, -1, 7, 7]
    assert targets[[0, 2, 4], 0].tolist() == [31, 22, 116]
    assert targets[[1, 3], 0].isnan().all()


@pytest.mark.parametrize("label", ["old", "", "(8, 23)", "-1", "131", "nan", "inf", "None"])
def test_what_is_no_age_is_named_with_its_row(label: str) -> None:
    with pytest.raises(TaskError, match="task 'age': row 2: ") as caught:
        AGE.encode({"age": ["31", label]})
    assert repr(label) in str(caught.value)


def test_groups_are_data() -> None:
    fairface = Ordinal(name="age", label="age_range", groups=["0-2", "3-9", "10-19", "20+"])
    assert fairface.encode({"age_range": ["3-9", "45"]})[:, 1].tolist() == [1, 3]
    with pytest.raises(TaskError, match="'3-9' is neither"):
        AGE.encode({"age": ["3-9"]})


def test_the_loss_teaches_years_and_groups_only_where_they_are_known() -> None:
    outputs = torch.randn(3, YEARS, generator=torch.Generator().manual_seed(0))
    rows = AGE.encode({"age": ["22", "25-32", "31"]})
    logs = outputs.log_softmax(1)
    years = -(soft_years(rows[:, 0], 2.5) * logs).sum(1)
    groups = -logs[:, 23:36].logsumexp(1)  # 23 and 24, and 33 to 35, are nearest to 25-32
    loss = AGE.criterion(8, rows)
    assert torch.allclose(loss(outputs[:1], rows[:1]), years[0])
    assert torch.allclose(loss(outputs[1:2], rows[1:2]), groups[1])
    assert torch.allclose(loss(outputs, rows), years[[0, 2]].mean() + groups[1:].mean())


def test_group_weight_scales_the_groups_alone() -> None:
    outputs, rows = torch.zeros(2, YEARS), AGE.encode({"age": ["22", "25-32"]})
    light, heavy = (
        Ordinal(name="age", group_weight=weight).criterion(8, rows)(outputs, rows)
        for weight in (0, 3)
    )
    assert math.isclose(float(heavy - light), 3 * math.log(YEARS / 13), rel_tol=1e-5)


def test_accuracy_is_over_rows_with_a_group_and_the_error_over_rows_with_years() -> None:
    targets = AGE.encode({"age": ["31", "25-32", "40", "22", "60+"]})
    measured = AGE.measure(sure_of(30, 40, 70, 20, 61), targets)
    assert measured["top1"].value == 2 / 4  # 31 and 60+
    assert measured["one_off"].value == 3 / 4  # 25-32 taken for 38-43 is one off
    assert measured["top1"].count == 4
    assert measured["years_mae"].value == pytest.approx((1 + 30 + 2) / 3)
    assert measured["years_mae"].count == 3
    assert measured["years_mae"].unit == "years"
    assert not measured["years_mae"].higher_is_better


def test_without_years_there_is_no_error_in_years() -> None:
    assert set(AGE.measure(sure_of(30), AGE.encode({"age": ["25-32"]}))) == {"top1", "one_off"}


def test_without_groups_there_is_nothing_to_hold_a_goal_against() -> None:
    with pytest.raises(TaskError, match="'top1' cannot be measured"):
        AGE.measure(sure_of(30), AGE.encode({"age": ["22"]}))
