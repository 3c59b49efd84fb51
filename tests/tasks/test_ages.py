"""Years, groups of years, and distributions over them."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from paenet.tasks.ages import (
    ADIENCE,
    YEARS,
    basins,
    expected_years,
    group_log_probabilities,
    group_of,
    group_probabilities,
    parse_span,
    soft_years,
)

SPANS = tuple(span for span in map(parse_span, ADIENCE) if span)


def sure_of(*years: int) -> torch.Tensor:
    return 1e4 * torch.eye(YEARS)[list(years)]


def test_ranges_are_read_as_data_sets_write_them() -> None:
    for text in ("25-32", "(25, 32)", " 25 - 32 ", "25\u201332"):
        assert parse_span(text) == (25, 32)
    assert parse_span("60+") == parse_span("(60, 100)") == (60, 100)
    for text in ("", "25", "32-25", "a-b", "-3-5", "60++", "1000-2000", "None"):
        assert parse_span(text) is None


@given(st.lists(st.integers(0, 100), min_size=4, max_size=20, unique=True))
def test_every_year_belongs_to_the_nearest_group(cuts: list[int]) -> None:
    cuts = sorted(cuts)[: len(cuts) // 2 * 2]
    spans = list(zip(cuts[::2], cuts[1::2], strict=True))
    shares = basins(spans)
    assert [year for start, stop in shares for year in range(start, stop)] == list(range(YEARS))
    for index, (start, stop) in enumerate(shares):
        for year in range(start, stop):
            away = [max(low - year, year - high, 0) for low, high in spans]
            assert index == away.index(min(away))


def test_an_age_between_two_groups_has_no_group() -> None:
    ages = {0: 0, 2.9: 0, 3: -1, 13: 2, 14: -1, 32.7: 4, 33: -1, 59: -1, 60: 7, 116: 7}
    assert {age: group_of(age, SPANS) for age in ages} == ages


def test_group_probabilities_are_a_distribution() -> None:
    outputs = torch.randn(50, YEARS, generator=torch.Generator().manual_seed(0)) * 3
    probabilities = group_probabilities(outputs, SPANS)
    assert torch.allclose(probabilities.sum(1), torch.ones(50))
    assert torch.allclose(probabilities[:, 0], outputs.softmax(1)[:, :4].sum(1))  # 3 is 2's


def test_a_group_that_seems_impossible_still_has_a_finite_log_probability() -> None:
    outputs = sure_of(30).requires_grad_()
    logs = group_log_probabilities(outputs, SPANS)
    logs.sum().backward()
    assert logs.isfinite().all()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()


def test_certain_years_are_expected_exactly_even_from_bfloat16_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        years = expected_years(sure_of(0, 33, 97, 100).bfloat16())
    assert years.tolist() == [0, 33, 97, 100]


def test_a_soft_label_is_centred_on_its_age_and_as_wide_as_told() -> None:
    soft = soft_years(torch.tensor([40.0, 40.5, 116.0]), 2.5)
    grid = torch.arange(YEARS)
    means = (soft * grid).sum(1)
    assert torch.allclose(soft.sum(1), torch.ones(3))
    assert torch.allclose(means[:2], torch.tensor([40.0, 40.5]), atol=1e-4)
    assert torch.allclose((soft[0] * (grid - 40) ** 2).sum().sqrt(), torch.tensor(2.5), atol=1e-3)
    assert soft[2].argmax() == 100
