"""Windows of images at one size, each pixel the mean of the area that it covers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class SummedImages:
    """Images of any size, summed from their top left corner: a mean takes four reads, not an area.

    Sums are integers, so that means are exact whatever the order of the boxes.

    Args:
        images: each `(height, width, 3)` uint8.
    """

    def __init__(self, images: Sequence[Tensor]) -> None:
        tables = [_sums(image) for image in images]
        rows = [table.shape[1] for table in tables]
        starts = [0]
        for table in tables:
            starts.append(starts[-1] + table.shape[0] * table.shape[1])
        # One flat buffer: boxes of all images are read together, whatever their images' sizes.
        self._sums = torch.cat([table.flatten(0, 1) for table in tables])
        device = self._sums.device
        self._row = torch.tensor(rows, device=device)
        self._start = torch.tensor(starts[:-1], device=device)

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


def _sums(image: Tensor) -> Tensor:
    """`(height + 1, width + 1, 3)`: what stands above and left of every pixel corner."""
    height, width = image.shape[:2]
    kind = torch.int32 if 255 * height * width < 2**31 else torch.int64
    sums = torch.zeros(height + 1, width + 1, 3, dtype=kind, device=image.device)
    sums[1:, 1:] = image.cumsum(0, dtype=kind).cumsum(1, dtype=kind)
    return sums


def _bins(begin: Tensor, end: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Where the bins of lengths begin and end, each `(N, size)`."""
    steps = torch.arange(size + 1, device=begin.device)
    length = (end - begin)[:, None]
    low = steps[:-1] * length // size
    high = -(-steps[1:] * length // size)
    return begin[:, None] + low, begin[:, None] + high
