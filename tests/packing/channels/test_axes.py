"""Constraints on where channels continue are all kept, and no more is decided than need be."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.packing.channels.axes import (
    Axis,
    MismatchError,
    divide,
    fixed,
    fresh,
    grown,
    join,
    positions,
    repeat,
    sizes,
    split,
    unify,
)


@st.composite
def cuttings(draw: st.DrawFn) -> tuple[Axis, Axis, Axis]:
    """Three axes, cut in different places, for which one assignment of channels fits."""
    continues = draw(st.lists(st.booleans(), min_size=1, max_size=12))
    cuts = st.sets(st.integers(1, len(continues)))

    def cut() -> Axis:
        places = sorted({0, len(continues), *draw(cuts)})
        return join(fresh(sum(continues[a:b]), b - a) for a, b in pairwise(places))

    return cut(), cut(), cut()


@given(cuttings())
def test_unified_axes_agree_and_keep_the_order(axes: tuple[Axis, Axis, Axis]) -> None:
    one, two, three = axes
    unify(one, two)
    unify(three, two)
    assert positions(one) == positions(two) == positions(three)
    assert positions(one) == sorted(set(positions(one)))
    assert len(positions(one)) == sizes(one)[0]
    assert all(place < sizes(one)[1] for place in positions(one))


@given(cuttings(), st.integers(1, 3), st.integers(1, 3))
def test_blocks_stay_whole(axes: tuple[Axis, Axis, Axis], times: int, more: int) -> None:
    one, two, three = axes
    fine = repeat(one, times * more)
    blocks = divide(fine, times)
    unify(fine, repeat(two, times * more))
    unify(blocks, repeat(three, more))
    expected = [times * place + k for place in positions(blocks) for k in range(times)]
    assert positions(fine) == positions(repeat(two, times * more)) == expected


def test_an_open_axis_continues_first_channels_first() -> None:
    axis = join([fresh(2, 4), fixed(1), fresh(1, 3)])
    assert positions(axis) == [0, 1, 4, 5]
    assert grown(axis)


def test_a_sum_with_a_concatenation_scatters_the_other_summand() -> None:
    whole = fresh(4, 8)
    unify(whole, join([fresh(2, 5), fresh(2, 3)]))
    assert positions(whole) == [0, 1, 5, 6]


def test_pieces_of_one_axis_can_be_made_equal() -> None:
    whole = fresh(4, 10)
    first, second = split(whole, [(2, 5), (2, 5)])
    unify(first, join([fresh(1, 3), fresh(1, 2)]))
    unify(first, second)
    assert positions(whole) == [0, 3, 5, 8]


def test_an_axis_that_does_not_grow_may_be_cut_anywhere() -> None:
    flat = repeat(fixed(3), 4)
    assert [positions(piece) for piece in split(flat, [(5, 5), (7, 7)])] == [
        [*range(5)],
        [*range(7)],
    ]
    assert sizes(divide(join([flat, fresh(2, 4)]), 2)) == (7, 8)


@pytest.mark.parametrize(
    ("other", "fact"),
    [
        (lambda: join([fresh(2, 5), fresh(2, 2)]), "one input has 3->4 .*another has 2->5"),
        (lambda: join([fresh(1, 5), fresh(3, 2)]), "3 channels would have to continue in 2"),
        (lambda: fresh(4, 8), "axes of 4->7 and 4->8 channels meet"),
        (lambda: repeat(fresh(2, 4), 2), "axes of 4->7 and 4->8"),
    ],
)
def test_a_contradiction_is_a_mismatch(other: object, fact: str) -> None:
    with pytest.raises(MismatchError, match=fact):
        unify(join([fresh(3, 4), fresh(1, 3)]), other())  # type: ignore[operator]


def test_what_cannot_be_whole_blocks_is_a_mismatch() -> None:
    with pytest.raises(MismatchError, match="4->7 channels after 0 do not form blocks of 2"):
        divide(fresh(4, 7), 2)
    with pytest.raises(MismatchError, match="3 channels do not form blocks of 2"):
        divide(fixed(3), 2)
    with pytest.raises(MismatchError, match="within a block of 2"):
        split(repeat(fresh(2, 4), 2), [(1, 3), (3, 5)])
