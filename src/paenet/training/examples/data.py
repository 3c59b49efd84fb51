"""A task's examples: decoded images, and what is known of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from paenet.datasets import DataError, Examples, Images, Skipped, open_examples
from paenet.tasks import Task, TaskError
from paenet.training.errors import RecipeError
from paenet.training.machine import IMAGES, generator
from paenet.training.recipe import Input, TaskPlan

Progress = Callable[[int, int], None]  # told (images done, images in all)


@dataclass(frozen=True)
class View:
    """How pixels become a network's input: `(pixel - mean) / scale`, square images of `size`.

    Attributes:
        resize: side of the images that these are cut out of, in pixels; None where they are whole.

    Raises:
        RecipeError: where there is less to cut from than `size`.
    """

    size: int
    mean: float
    scale: float
    resize: int | None = None

    def __post_init__(self) -> None:
        if self.kept < self.size:
            raise RecipeError(
                f"input.resize: {self.kept} is less than the {self.size} pixels of input.size; "
                "give as much or more"
            )

    @property
    def kept(self) -> int:
        """Side of the images in the cache, in pixels."""
        return self.size if self.resize is None else self.resize

    def said(self) -> dict[str, Any]:
        """What a file keeps of it, and what caches depend on; nothing of images that are whole."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    def normalise(self, pixels: Tensor) -> Tensor:
        """`(N, 3, kept, kept)` pixels 0-255, any type, to float inputs in channels-last order.

        Returns:
            `(N, 3, size, size)`: the centre.
        """
        inputs = (_centre(pixels, self.size).float() - self.mean) / self.scale
        return inputs.contiguous(memory_format=torch.channels_last)

    def anywhere(self, pixels: Tensor, draw: torch.Generator) -> Tensor:
        """A square of each image, at whole pixels, every place as likely.

        Args:
            pixels: `(N, 3, kept, kept)`.
            draw: gives the places; where images are whole, nothing is drawn.

        Returns:
            `(N, 3, size, size)`.
        """
        room = self.kept - self.size
        if room == 0:
            return pixels
        places = torch.randint(room + 1, (2, len(pixels)), generator=draw, device=draw.device)
        top, left = places.to(pixels.device)
        squares = pixels.unfold(2, self.size, 1).unfold(3, self.size, 1)
        return squares[torch.arange(len(pixels), device=pixels.device), :, top, left]


def _centre(pixels: Tensor, size: int) -> Tensor:
    """`(N, 3, size, size)`; as FaceNet's code, the upper left of two middles."""
    top, left = ((side - size) // 2 for side in pixels.shape[2:])
    return pixels[:, :, top : top + size, left : left + size]


def place(module: nn.Module, device: torch.device) -> None:
    """Moves a network to `device`, its weights in the order in which `View` lays out images."""
    module.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Split:
    """The decoded images of one split and what is known of them.

    Attributes:
        pixels: `(N, kept, kept, 3)` uint8, memory-mapped; see `View`.
        targets: `(N, ...)`, or None where a teacher gives them.
        broken: path and reason of every image that could not be read.
        hash: of images, rows and size: changes when the pixels could have.
        skipped: rows of the data that are no examples, of whatever split, and why.
    """

    pixels: NDArray[np.uint8]
    targets: Tensor | None
    broken: tuple[tuple[str, str], ...] = ()
    hash: str = ""
    skipped: Skipped = field(default_factory=Skipped)

    def __len__(self) -> int:
        return len(self.pixels)

    def targets_hash(self) -> str:
        """Changes when a target could have."""
        values = b"" if self.targets is None else self.targets.numpy().tobytes()
        return hashlib.sha256(values).hexdigest()

    def images(self, rows: NDArray[np.int64] | slice) -> Tensor:
        """`(n, 3, kept, kept)` uint8 pixels of some rows."""
        return torch.from_numpy(np.array(self.pixels[rows])).permute(0, 3, 1, 2)


def open_split(
    plan: TaskPlan,
    task: Task,
    split: str,
    *,
    view: View,
    given: Input,
    cache: Path,
    limit: int | None,
    seed: int,
    progress: Progress | None = None,
) -> Split:
    """Decodes a split (or takes it from the cache) and encodes its labels.

    Args:
        limit: take at most so many examples, drawn from `seed`.
        progress: told while images are decoded.

    Raises:
        RecipeError: where the split is too small to train or judge anything.
        DataError: where it does not exist, a label is unknown, or too many images are broken.
    """
    examples = split_examples(plan, split)
    if limit is not None and limit < len(examples.paths):
        order = torch.randperm(len(examples.paths), generator=generator(seed, "limit", split))
        examples = examples.select(np.sort(order[:limit].numpy()))
    return decode(examples, view, given, cache / IMAGES, task, progress)


def split_examples(plan: TaskPlan, split: str) -> Examples:
    """The examples of a split, not decoded. See `open_split`."""
    try:
        examples = open_examples(plan.data, split)
    except DataError as error:
        raise DataError(f"task {plan.name!r}: {error}") from None
    if len(examples) < 2:
        raise RecipeError(
            f"task {plan.name!r}: split {split!r} of {examples.name} has too few examples "
            f"({len(examples)}); give at least 2 (of images without a split, one in ten is drawn "
            "for validation, and one for the test)"
        )
    return examples


def spaced(count: int, most: int) -> NDArray[np.int64]:
    """At most so many of `count` places, evenly spaced."""
    if most >= count:
        return np.arange(count)
    return np.linspace(0, count - 1, most).round().astype(np.int64)


def decode(
    examples: Examples,
    view: View,
    given: Input,
    cache: Path,
    task: Task | None = None,
    progress: Progress | None = None,
) -> Split:
    """The images of `examples` at the size that a view is cut from, with the targets of `task`.

    Raises:
        DataError: where too many images are broken, the cache cannot be written, or a label is
            wrong.
    """
    images = Images(examples, view.kept, cache, max_broken=given.max_broken, progress=progress)
    targets = None if task is None else encode(task, examples.select(images.kept))
    return Split(images.pixels, targets, tuple(images.broken), images.hash, examples.skipped)


def encode(task: Task, examples: Examples) -> Tensor | None:
    """The targets of examples; None where a teacher gives them.

    Raises:
        DataError: names the data, and the image whose label is wrong.
    """
    if task.label is None:
        return None
    try:
        return task.encode(examples.columns)
    except TaskError as error:
        image = "" if error.row is None else f"{examples.paths[error.row]}: "
        raise DataError(f"{examples.name}: {image}{error}") from None
