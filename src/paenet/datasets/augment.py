"""Random variations of face images, the same for the same generator state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from paenet.datasets.errors import DataError

_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow converts to "L"


@dataclass(frozen=True)
class Augment:
    """How far images may vary. All zero (and zoom 1) leaves them as they are.

    Args:
        flip: share of images that are mirrored, 0 to 1.
        zoom: smallest and largest factor; above 1 the face grows.
        shift: at most this share of the side, in x and y.
        rotate: at most so many degrees either way.
        brightness: pixels are multiplied by a factor from 1 - this to 1 + this.
        contrast: distances to the image's mean are, likewise.
        grey: share of images that lose their colours.
        erase: share of images in which a rectangle becomes grey (Zhong et al. 2017).

    Raises:
        DataError: names the value that is out of range, and the range.
    """

    flip: float = 0.5
    zoom: tuple[float, float] = (0.9, 1.1)
    shift: float = 0.05
    rotate: float = 10.0
    brightness: float = 0.2
    contrast: float = 0.2
    grey: float = 0.1
    erase: float = 0.0

    def __post_init__(self) -> None:
        for name in ("flip", "shift", "brightness", "contrast", "grey", "erase"):
            _within(name, getattr(self, name), 0, 1)
        _within("rotate", self.rotate, 0, 180)
        low, high = self.zoom
        if not 0 < low <= high < math.inf:
            raise DataError(
                f"augment.zoom: {list(self.zoom)} is no range; give [low, high], 0 < low <= high"
            )


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise DataError(f"augment.{name}: {value} is out of range; give {low} to {high}")


def augment(images: Tensor, settings: Augment, generator: torch.Generator) -> Tensor:
    """Varies every image of a batch on its own.

    As many random numbers are drawn whatever the settings are, so that changing one of them
    changes nothing about the others.

    Args:
        images: `(N, 3, H, W)` pixels 0-255, uint8 or float.
        settings: how far.
        generator: gives every random number.

    Returns:
        `(N, 3, H, W)` float pixels 0-255.
    """
    pixels = images if images.is_floating_point() else images.float()
    draws = torch.rand((13, len(images)), generator=generator, device=generator.device)
    chance = iter(draws.to(pixels.device, pixels.dtype))
    pixels = _move(pixels, settings, *(next(chance) for _ in range(5)))
    pixels = _colour(pixels, settings, *(next(chance) for _ in range(3)))
    return _erase(pixels, settings, *(next(chance) for _ in range(5)))


def _move(
    pixels: Tensor,
    settings: Augment,
    flip: Tensor,
    zoom: Tensor,
    x: Tensor,
    y: Tensor,
    turn: Tensor,
) -> Tensor:
    """Flip, zoom, shift and turn as one affine map; outside, the edge pixels go on."""
    low, high = settings.zoom
    if not (settings.flip or settings.shift or settings.rotate or low != 1 or high != 1):
        return pixels
    mirror = torch.where(flip < settings.flip, -1.0, 1.0)
    # Even in logarithms: half the size is as likely as double.
    scale = torch.exp(-(math.log(low) + zoom * math.log(high / low)))
    angle = (2 * turn - 1) * math.radians(settings.rotate)
    across, down = (2 * (2 * value - 1) * settings.shift for value in (x, y))
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    # Non-square images: angles are kept in pixels, the grid is in halves of each side.
    aspect = pixels.shape[2] / pixels.shape[3]
    maps = torch.stack(
        [
            torch.stack([mirror * cos, -mirror * sin * aspect, across], dim=1),
            torch.stack([sin / aspect, cos, down], dim=1),
        ],
        dim=1,
    )
    grid = functional.affine_grid(maps, list(pixels.shape), align_corners=False)
    return functional.grid_sample(
        pixels, grid.to(pixels.dtype), padding_mode="border", align_corners=False
    )


def _colour(
    pixels: Tensor, settings: Augment, bright: Tensor, contrast: Tensor, grey: Tensor
) -> Tensor:
    if settings.grey:
        weights = pixels.new_tensor(_GREY).view(1, 3, 1, 1)
        luma = (pixels * weights).sum(dim=1, keepdim=True)
        pixels = torch.where(_each(grey < settings.grey), luma, pixels)
    if settings.contrast or settings.brightness:
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        spread = _each(1 + (2 * contrast - 1) * settings.contrast)
        gain = _each(1 + (2 * bright - 1) * settings.brightness)
        pixels = (((pixels - mean) * spread + mean) * gain).clamp(0, 255)
    return pixels


def _erase(
    pixels: Tensor, settings: Augment, share: Tensor, x: Tensor, y: Tensor, w: Tensor, h: Tensor
) -> Tensor:
    """A rectangle of 20 to 50 % of each side, in the middle grey of the pixel range."""
    if not settings.erase:
        return pixels
    inside = (share < settings.erase).view(-1, 1, 1)
    for position, extent, axis in ((y, h, 2), (x, w, 3)):
        places = torch.linspace(0, 1, pixels.shape[axis], device=pixels.device)
        side = 0.2 + 0.3 * extent
        start = (position * (1 - side)).view(-1, 1)
        hit = (places >= start) & (places < start + side.view(-1, 1))
        inside = inside & hit.unsqueeze(2 if axis == 2 else 1)
    return torch.where(inside.unsqueeze(1), pixels.new_tensor(127.5), pixels)


def _each(values: Tensor) -> Tensor:
    return values.view(-1, 1, 1, 1)
