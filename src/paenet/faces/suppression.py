"""Non-maximum suppression: of boxes that show the same face, the surest stays."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

_CELLS = 2**22  # of the largest table of overlaps held at once


def suppress(
    boxes: Tensor,
    scores: Tensor,
    groups: Tensor,
    threshold: float,
    *,
    by: Literal["union", "smaller"] = "union",
) -> Tensor:
    """Greedy suppression: a box goes where a surer one that stays overlaps it by more.

    Boxes meet only boxes of their own group. No loop runs over boxes: all groups advance together
    through blocks of their boxes, surest first.

    Args:
        boxes: `(N, 4)` x1, y1, x2, y2.
        scores: `(N,)`; of equal ones the earlier is the surer.
        groups: `(N,)` integers, such as the image that a box is in.
        threshold: the largest overlap that stays, 0 to 1.
        by: what the intersection is divided by: the union (`union`; areas are width × height), or
            the smaller box (`smaller`; sides count pixels, both ends included, as MTCNN's last
            step has it).

    Returns:
        Rows that stay, by group, the surest first.
    """
    order = scores.argsort(descending=True, stable=True)
    order = order[groups[order].argsort(stable=True)]
    if len(order) == 0:
        return order
    _, sizes = groups[order].unique_consecutive(return_counts=True)
    table, real = _by_group(boxes[order], sizes)
    kept = torch.zeros_like(real)
    count, longest = real.shape
    block = max(1, _CELLS // (count * longest))
    for start in range(0, longest, block):
        here = slice(start, start + block)
        overlaps = _overlaps(table[:, : start + block], table[:, here], by) > threshold
        alive = real[:, here] & ~(overlaps[:, :start] & kept[:, :start, None]).any(1)
        kept[:, here] = _settle(overlaps[:, start:].triu(1), alive)
    return order[kept[real]]


def _by_group(boxes: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Sorted boxes as `(groups, longest, 4)`, and which places hold one."""
    places = torch.arange(int(sizes.max()), device=boxes.device)
    real = places < sizes[:, None]
    table = boxes.new_zeros(*real.shape, 4)
    table[real] = boxes
    return table, real


def _settle(above: Tensor, alive: Tensor) -> Tensor:
    """Which boxes of a block stay; `above[g, i, j]`: i is surer than j and overlaps it.

    A box stays if no box above it stays. Taken over and over, this settles from the surest down:
    after k rounds the first k boxes are right for good, and chains are far shorter than blocks.
    """
    kept = alive
    while True:
        settled = alive & ~(above & kept[:, :, None]).any(1)
        if torch.equal(settled, kept):
            return kept
        kept = settled


def _overlaps(first: Tensor, second: Tensor, by: Literal["union", "smaller"]) -> Tensor:
    """`(G, A, B)` overlaps of `(G, A, 4)` with `(G, B, 4)`."""
    edge = 1 if by == "smaller" else 0
    low = torch.maximum(first[:, :, None, :2], second[:, None, :, :2])
    high = torch.minimum(first[:, :, None, 2:], second[:, None, :, 2:])
    shared = (high - low + edge).clamp(min=0).prod(-1)
    areas = [(table[..., 2:] - table[..., :2] + edge).prod(-1) for table in (first, second)]
    a, b = areas[0][:, :, None], areas[1][:, None, :]
    return shared / (torch.minimum(a, b) if by == "smaller" else a + b - shared)
