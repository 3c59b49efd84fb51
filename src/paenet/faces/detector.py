"""Where the faces of a photograph are: MTCNN's cascade of three networks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from paenet.faces.errors import FacesError
from paenet.faces.networks import load_networks
from paenet.faces.pixels import Image, rgb
from paenet.faces.regions import SummedImages
from paenet.faces.suppression import suppress

Floats = NDArray[np.float32]
T = TypeVar("T")

WINDOW, STRIDE = 12, 2  # of P-Net, in pixels
_PIXELS = 2**22  # of the images that go through P-Net together
_WINDOWS = 1024  # that go through R- and O-Net together


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces found in one image, the surest first.

    Attributes:
        boxes: `(N, 4)` x1, y1, x2, y2 in pixels of the upright image; they may stand out of it.
        scores: `(N,)` the last network's belief that it is a face, 0 to 1.
        landmarks: `(N, 5, 2)` x and y in pixels: the eye on the image's left, the other one, the
            nose, the corner of the mouth on the image's left, the other one.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats

    def __len__(self) -> int:
        return len(self.scores)

    def select(self, rows: Sequence[int] | NDArray[np.integer]) -> Faces:
        """Some of the faces, in the given order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Faces(self.boxes[chosen], self.scores[chosen], self.landmarks[chosen])


class Detector:
    """MTCNN (Zhang et al., 2016) as facenet-pytorch has it, with its trained weights.

    Args:
        thresholds: the least belief in a face that P-, R- and O-Net let pass, each 0 to 1.
        factor: between one level of the image pyramid and the next, between 0 and 1.
        min_face: the smallest face's shorter side in pixels, at least 12; time grows with its
            inverse square.
        device: where the networks run.

    Raises:
        FacesError: where an argument is out of its range.
    """

    def __init__(
        self,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
        factor: float = 0.709,
        min_face: float = 20,
        device: str | torch.device = "cpu",
    ) -> None:
        if len(thresholds) != 3 or not all(0 <= value <= 1 for value in thresholds):
            raise FacesError(f"thresholds: {thresholds}; give three numbers from 0 to 1")
        if not 0 < factor < 1:
            raise FacesError(f"factor: {factor}; give a number between 0 and 1, such as 0.709")
        check_min_face(min_face)
        self.thresholds = thresholds
        self.factor = factor
        self.min_face = min_face
        self.device = torch.device(device)
        self._networks = load_networks(self.device)

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Faces]:
        """The faces of several images, which go through the networks together.

        Images of one size share P-Net's passes; R- and O-Net see the windows of all.

        Args:
            images: of any sizes: `(height, width, 3)` uint8 RGB; grey, with alpha, or Pillow's
                are taken too (`rgb`).

        Returns:
            For each image its faces; none for an image that is empty or smaller than `min_face`.

        Raises:
            FacesError: where something is no image.
        """
        pixels = [torch.from_numpy(np.array(rgb(image))) for image in images]
        found = []
        for batch in in_batches(pixels, lambda image: image.shape[0] * image.shape[1]):
            found += self._detect([image.to(self.device) for image in batch])
        return found

    def _detect(self, images: list[Tensor]) -> list[Faces]:
        boxes, owners = self._propose(images)
        cascade = _Cascade(images, boxes, owners)
        rnet, onet = self._networks.rnet, self._networks.onet

        scores, shifts = cascade.look(24, rnet)
        scores, shifts = cascade.keep(scores > self.thresholds[1], scores, shifts)
        kept = suppress(cascade.boxes, scores, cascade.owners, 0.7)
        (shifts,) = cascade.keep(kept, shifts)
        cascade.boxes = _square(_corrected(cascade.boxes, shifts, edge=1))

        scores, shifts, landmarks = cascade.look(48, onet)
        sure = scores > self.thresholds[2]
        scores, shifts, landmarks = cascade.keep(sure, scores, shifts, landmarks)
        corner, side = cascade.boxes[:, None, :2], _sides(cascade.boxes, edge=1)[:, None]
        landmarks = landmarks * side + corner - 1
        cascade.boxes = _corrected(cascade.boxes, shifts, edge=1)
        kept = suppress(cascade.boxes, scores, cascade.owners, 0.7, by="smaller")
        scores, landmarks = cascade.keep(kept, scores, landmarks)
        counts = cascade.owners.bincount(minlength=len(images)).tolist()
        parts = (cascade.boxes, scores, landmarks)
        split = [[part.numpy() for part in whole.cpu().split(counts)] for whole in parts]
        return [Faces(*faces) for faces in zip(*split, strict=True)]

    def _propose(self, images: list[Tensor]) -> tuple[Tensor, Tensor]:
        """P-Net over the pyramids: square boxes `(N, 4)`, and the image of each."""
        same_size = defaultdict(list)
        for index, image in enumerate(images):
            same_size[tuple(image.shape[:2])].append(index)
        found = [torch.zeros(0, 10, device=self.device)]  # box, image, score, correction
        for (height, width), members in same_size.items():
            stack = torch.stack([images[index] for index in members]).permute(0, 3, 1, 2).float()
            names = torch.tensor(members, device=self.device)
            for scale in self._scales(height, width):
                found.append(self._level(stack, names, scale))
        table = torch.cat(found)
        owners = table[:, 4].long()
        kept = suppress(table[:, :4], table[:, 5], owners, 0.7)
        return _square(_corrected(table[kept, :4], table[kept, 6:], edge=0)), owners[kept]

    def _level(self, stack: Tensor, names: Tensor, scale: float) -> Tensor:
        """What P-Net finds at one scale; see `_propose` for the columns."""
        height, width = (int(side * scale + 1) for side in stack.shape[2:])
        small = interpolate(stack, (height, width), mode="area")
        chance, shift = self._networks.pnet(_normalised(small))
        passing = chance >= self.thresholds[0]
        which, row, column = passing.nonzero(as_tuple=True)
        corner = (torch.stack((column, row), 1) * STRIDE + 1).float()
        boxes = torch.cat((corner / scale, (corner + WINDOW - 1) / scale), 1).floor()
        scores, shifts = chance[passing], shift.permute(0, 2, 3, 1)[passing]
        kept = suppress(boxes, scores, which, 0.5)
        columns = (boxes, names[which, None].float(), scores[:, None], shifts)
        return torch.cat(columns, 1)[kept]

    def _scales(self, height: int, width: int) -> Iterator[float]:
        scale = WINDOW / self.min_face
        shorter = min(height, width) * scale
        while shorter >= WINDOW:
            yield scale
            scale *= self.factor
            shorter *= self.factor


class _Cascade:
    """The boxes that are still in question, and the images to look at again.

    Boxes count pixels from 1, as the trained networks do: x1 = 1 is the first column.
    """

    def __init__(self, images: list[Tensor], boxes: Tensor, owners: Tensor) -> None:
        self._images = SummedImages(images)
        sizes = [(image.shape[1], image.shape[0]) for image in images]
        self._sizes = torch.tensor(sizes, device=boxes.device)
        self.boxes, self.owners = boxes, owners

    def look(self, size: int, network: Callable[[Tensor], tuple[Tensor, ...]]) -> list[Tensor]:
        """What `network` says of every box; those without a pixel of the image are dropped."""
        whole = self.boxes.trunc().long()
        low = whole[:, :2].clamp(min=1) - 1
        high = whole[:, 2:].minimum(self._sizes[self.owners])
        inside = (high > low).all(1)
        areas = torch.cat((low, high), 1)[inside]
        self.boxes, self.owners = self.boxes[inside], self.owners[inside]
        answers = [
            network(_normalised(self._images.windows(area, owner, size)))
            for area, owner in zip(areas.split(_WINDOWS), self.owners.split(_WINDOWS), strict=True)
        ]
        return [torch.cat(parts) for parts in zip(*answers, strict=True)]

    def keep(self, rows: Tensor, *said: Tensor) -> list[Tensor]:
        """Goes on with some of the boxes, a mask or row numbers; what was said of these."""
        self.boxes, self.owners = self.boxes[rows], self.owners[rows]
        return [value[rows] for value in said]


def check_min_face(min_face: float) -> None:
    """Refuses a smallest face that P-Net's window cannot hold.

    Raises:
        FacesError: names the value and the range.
    """
    if not WINDOW <= min_face < float("inf"):
        raise FacesError(f"min_face: {min_face}; give {WINDOW} pixels or more")


def in_batches(images: Iterable[T], area: Callable[[T], int]) -> Iterator[list[T]]:
    """Images that go through the detector together, read no further ahead than that."""
    batch: list[T] = []
    total = 0
    for image in images:
        if batch and total + area(image) > _PIXELS:
            yield batch
            batch, total = [], 0
        batch.append(image)
        total += area(image)
    if batch:
        yield batch


def _normalised(images: Tensor) -> Tensor:
    return (images - 127.5) / 128


def _sides(boxes: Tensor, edge: int) -> Tensor:
    """`(N, 2)` widths and heights; with edge 1 both end pixels count."""
    return boxes[:, 2:] - boxes[:, :2] + edge


def _corrected(boxes: Tensor, shifts: Tensor, edge: int) -> Tensor:
    return boxes + shifts * _sides(boxes, edge).repeat(1, 2)


def _square(boxes: Tensor) -> Tensor:
    """The square around the centre of each box, as long as its longer side."""
    sides = _sides(boxes, edge=0)
    longer = sides.amax(1, keepdim=True)
    corner = boxes[:, :2] + sides / 2 - longer / 2
    return torch.cat((corner, corner + longer), 1)
