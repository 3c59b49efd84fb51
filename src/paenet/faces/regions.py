"""Windows of images at one size, each pixel the mean of the area that it covers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor


class SummedImages:
    """Images of any size, summed from their top left corner: a mean takes four reads, not an area.

    Sums are integers, so that means are exact whatever the order of the boxes. They are kept
    modulo 2**32, in which the sum of a bin comes out right for any bin of at most 8.4 million
    pixels: that of a photograph of 110 million has 4.6 million at most, in windows of 24.

    Args:
        images: each `(height, width, 3)` uint8; at least one.
    """

    def __init__(self, images: Sequence[Tensor]) -> None:
        device = images[0].device
        sides = [(image.shape[0] + 1, image.shape[1] + 1) for image in images]
        ends = list(accumulate((height * width for height, width in sides), initial=0))
        # One flat buffer: boxes of all images are read together, whatever their images' sizes.
        self._sums = torch.zeros(ends[-1], 3, dtype=torch.int32, device=device)
        for image, side, start, end in zip(images, sides, ends, ends[1:], strict=False):
            _sum_up(image, self._sums[start:end].view(*side, 3))
        self._row = torch.tensor([width for _, width in sides], device=device)
        self._start = torch.tensor(ends[:-1], device=device)

    def windows(self, areas: Tensor, images: Tensor, size: int) -> Tensor:
        """Areas of images, resampled.

        The bins are those of `torch.nn.functional.interpolate(mode="area")`: pixel i of `size`
        covers floor(i·L/size) up to ceil((i+1)·L/size) of an area L long.

        Args:
            areas: `(N, 4)` integers x1, y1, x2, y2 inside the image, the ends excluded, x1 < x2
                and y1 < y2.
            images: `(N,)` the image of each area.
            size: of the square windows.

        Returns:
            `(N, 3, size, size)` float32, 0 to 255.
        """
        left, right = _bins(areas[:, 0], areas[:, 2], size)
        top, bottom = _bins(areas[:, 1], areas[:, 3], size)
        start, row = self._start[images, None], self._row[images, None]
        above, below = start + top * row, start + bottom * row
        total = (
            self._at(below, right) - self._at(above, right)
            - self._at(below, left) + self._at(above, left)
        )  # fmt: skip
        count = (bottom - top)[:, :, None] * (right - left)[:, None, :]
        return (total / count[..., None]).permute(0, 3, 1, 2).contiguous()

    def _at(self, rows: Tensor, columns: Tensor) -> Tensor:
        return self._sums[rows[:, :, None] + columns[:, None, :]]


def _sum_up(image: Tensor, sums: Tensor) -> None:
    """Writes into `(height + 1, width + 1, 3)` zeros what stands above and left of each corner."""
    sums[1:, 1:].copy_(image).cumsum_(0).cumsum_(1)


def _bins(begin: Tensor, end: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where the bins of lengths begin and end, each `(N, size)`."""
    steps = torch.arange(size + 1, device=begin.device)
    length = (end - begin)[:, None]
    low = steps[:-1] * length // size
    high = -(-steps[1:] * length // size)
    return begin[:, None] + low, begin[:, None] + high
