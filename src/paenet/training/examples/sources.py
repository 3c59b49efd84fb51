"""What a network is fed, row by row of a split: images, or what a stem has made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paenet.datasets import Augment, augment
from paenet.training.examples.data import Split, View

Rows = NDArray[np.int64] | slice
Kept = NDArray[np.float16] | NDArray[np.float32]


class Source(Protocol):
    """The inputs of a network."""

    def __len__(self) -> int: ...

    def inputs(self, rows: Rows, device: torch.device) -> Tensor:
        """`(n, ...)` of some rows, as they are."""

    def varied(
        self, rows: NDArray[np.int64], draw: torch.Generator, device: torch.device
    ) -> Tensor:
        """`(n, ...)` of some rows, as training sees them: another way each time."""


@dataclass(frozen=True)
class ImageSource:
    """Images of a split as a network sees them.

    Args:
        split: which.
        view: how pixels become inputs.
        augment: how they vary in training.
        mirror: show them mirrored.
    """

    split: Split
    view: View
    augment: Augment = field(default_factory=Augment)
    mirror: bool = False

    def __len__(self) -> int:
        return len(self.split)

    def example(self) -> Tensor:
        """`(1, 3, size, size)` zeros, as a network's input is shaped."""
        return torch.zeros(1, 3, self.view.size, self.view.size)

    def inputs(self, rows: Rows, device: torch.device) -> Tensor:
        inputs = self.view.normalise(self.split.images(rows).to(device))
        return inputs.flip(3) if self.mirror else inputs

    def varied(
        self, rows: NDArray[np.int64], draw: torch.Generator, device: torch.device
    ) -> Tensor:
        pixels = self.view.anywhere(self.split.images(rows).to(device), draw)
        return self.view.normalise(augment(pixels, self.augment, draw))


@dataclass(frozen=True)
class ActivationSource:
    """What a stem has made of the images of a split, in one view of each or several.

    Args:
        views: for each view, memory-mapped pieces `(n, ...)` of neighbouring rows, all pieces but
            the last of one length; the first view is of the images as they are.
    """

    views: Sequence[Sequence[Kept]]

    def __len__(self) -> int:
        return sum(map(len, self.views[0]))

    def inputs(self, rows: Rows, device: torch.device) -> Tensor:
        places = np.arange(len(self))[rows]
        return self._gathered(places, np.zeros(len(places), np.int64), device)

    def varied(
        self, rows: NDArray[np.int64], draw: torch.Generator, device: torch.device
    ) -> Tensor:
        views = torch.randint(len(self.views), (len(rows),), generator=draw).numpy()
        return self._gathered(rows, views, device)

    def _gathered(
        self, rows: NDArray[np.int64], views: NDArray[np.int64], device: torch.device
    ) -> Tensor:
        length = len(self.views[0][0])
        found = [
            self.views[view][row // length][row % length]
            for view, row in zip(views, rows, strict=True)
        ]
        return laid_out(torch.from_numpy(np.stack(found)).to(device))


def laid_out(values: Tensor) -> Tensor:
    """A copy in float32, in the order in which stems give values."""
    order = torch.channels_last if values.dim() == 4 else torch.contiguous_format
    # Where sides are of one pixel, `to` would leave the strides, by which torch chooses how it
    # computes.
    found = torch.empty(
        values.shape, dtype=torch.float32, device=values.device, memory_format=order
    )
    return found.copy_(values)
