"""Non-maximum suppression: what is left is what the greedy loop over boxes leaves."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from paenet.faces import suppression
from paenet.faces.suppression import suppress
from tests.faces import plain_mtcnn

# Small whole numbers: overlaps at the very threshold, equal scores and empty boxes do come up.
BOXES = st.integers(0, 40).flatmap(
    lambda count: st.tuples(
        arrays.arrays(np.float32, (count, 4), elements=st.integers(0, 12)),
        arrays.arrays(np.float32, count, elements=st.integers(0, 6)),
        arrays.arrays(np.int64, count, elements=st.integers(0, 3)),
    )
)


def brute_force(
    boxes: np.ndarray, scores: np.ndarray, groups: np.ndarray, threshold: float, by: str
) -> list[int]:
    kept: list[int] = []
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        edge = 1 if by == "smaller" else 0
        picked = plain_mtcnn.suppress(boxes[rows], scores[rows], threshold, edge)
        kept += rows[picked].tolist()
    return kept


@pytest.mark.parametrize("cells", [1, 64, 2**22])
@pytest.mark.parametrize("by", ["union", "smaller"])
@given(data=BOXES, threshold=st.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_what_stays_is_what_the_greedy_loop_leaves(
    cells: int, by: str, data: tuple[np.ndarray, ...], threshold: float
) -> None:
    boxes, scores, groups = data
    boxes[:, 2:] += boxes[:, :2]
    before, suppression._CELLS = suppression._CELLS, cells
    try:
        kept = suppress(*map(torch.from_numpy, data), threshold, by=by)
    finally:
        suppression._CELLS = before
    assert kept.tolist() == brute_force(boxes, scores, groups, threshold, by)


def test_boxes_of_different_groups_never_meet() -> None:
    boxes = torch.tensor([[0.0, 0, 10, 10]]).repeat(3, 1)
    kept = suppress(boxes, torch.tensor([0.5, 0.9, 0.7]), torch.tensor([1, 0, 1]), 0.5)
    assert kept.tolist() == [1, 2]
