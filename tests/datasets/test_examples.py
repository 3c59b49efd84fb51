"""Rows, columns and pixels stay together, whatever is selected and joined."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.datasets import DataError, Examples, join


class Numbered:
    """Reads row r as an image of the number `start + r`."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __call__(self, row: int) -> np.ndarray:
        return np.full((2, 2, 3), self.start + row, dtype=np.uint8)


def numbered(start: int, count: int, column: str = "n") -> Examples:
    names = tuple(str(start + row) for row in range(count))
    return Examples(f"from {start}", names, {column: names}, Numbered(start), f"v{start}")


def test_a_column_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(DataError, match="t: column 'age' has 1 values for 2 images"):
        Examples("t", ("a", "b"), {"age": ("1",)}, Numbered(0), "")


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=4).flatmap(
        lambda counts: st.tuples(
            st.just(counts), st.lists(st.integers(0, sum(counts) - 1), max_size=6)
        )
    )
)
def test_joined_and_selected_rows_keep_label_and_pixels(case: tuple[list[int], list[int]]) -> None:
    counts, rows = case
    starts = np.cumsum([0, *counts[:-1]]).tolist()
    whole = join([numbered(start, count) for start, count in zip(starts, counts, strict=True)])
    assert whole.paths == tuple(str(row) for row in range(sum(counts)))
    chosen = whole.select(rows)
    assert chosen.columns["n"] == tuple(map(str, rows))
    assert [int(chosen.read(row)[0, 0, 0]) for row in range(len(rows))] == rows


def test_a_column_that_a_source_lacks_is_empty_there() -> None:
    both = join([numbered(0, 1, "age"), numbered(1, 2, "gender")])
    assert both.columns == {"age": ("0", "", ""), "gender": ("", "1", "2")}


def test_the_version_tells_selections_and_orders_apart() -> None:
    one, two = numbered(0, 3), numbered(3, 3)
    versions = [
        one,
        two,
        one.select([0, 1]),
        one.select([1, 0]),
        join([one, two]),
        join([two, one]),
    ]
    assert len({examples.version for examples in versions}) == len(versions)
    assert one.select([0, 1]).version == numbered(0, 3).select([0, 1]).version


def test_renaming_keeps_everything_else() -> None:
    renamed = numbered(0, 2).rename({"n": "age"})
    assert renamed.columns == {"age": ("0", "1")}
    assert renamed.version == "v0"


def test_a_rename_that_cannot_be_is_refused() -> None:
    with pytest.raises(DataError, match=re.escape("from 0: no column 'x' to rename; it has n")):
        numbered(0, 1).rename({"x": "y"})
    two = Examples("t", ("a",), {"a": ("1",), "b": ("2",)}, Numbered(0), "")
    with pytest.raises(DataError, match="two columns are called 'b'"):
        two.rename({"a": "b"})
