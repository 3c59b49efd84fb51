"""What is around a person: background, light, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from paenet.datasets.examples import Pixels

_SHADOW = np.array((0.9, 1.02, 1.08), dtype=np.float32)


@dataclass(frozen=True)
class Light:
    """One lamp and the room's own light.

    Attributes:
        x, y: direction it comes from, -1 to 1: left to right, above to below.
        strength: 0 (flat) to 1 (hard).
        exposure: factor on everything.
        tint: factor for red, green and blue.
        noise: standard deviation of the sensor's noise, in grey levels of 255.
    """

    x: float
    y: float
    strength: float
    exposure: float
    tint: NDArray[np.float32]
    noise: float


def draw_light(stream: np.random.Generator) -> Light:
    """A light for one picture: mostly from above, sometimes hard, sometimes dim."""
    warm = 0.04 * float(np.clip(stream.standard_normal(), -2, 2))
    return Light(
        x=float(np.clip(0.55 * stream.standard_normal(), -1, 1)),
        y=stream.uniform(-0.8, 0.1),
        strength=stream.uniform(0.25, 0.75),
        exposure=stream.uniform(0.8, 1.15),
        tint=np.array([1 + warm, 1.0, 1 - warm], dtype=np.float32),
        noise=stream.uniform(1, 5),
    )


def draw_background(side: int, stream: np.random.Generator) -> Image.Image:
    """A wall, a soft gradient, foliage out of focus, or lights at night."""
    base = stream.uniform(40, 220, 3)
    base = base.mean() + 0.35 * (base - base.mean())
    kind = int(stream.integers(4))
    if kind == 0:
        corners = base + _spread(stream, 2, 40, 8)
        return _stretched(corners, side)
    if kind == 1:
        return _stretched(base + _spread(stream, 6, 28, 12), side)
    wall = _stretched(base + _spread(stream, 2, 15, 4), side)
    draw = ImageDraw.Draw(wall, "RGBA")
    if kind == 2:
        for _ in range(9):
            x, y, radius = stream.uniform((0, 0, 0.04), (1, 1, 0.15)) * side
            colour = (*_tone(base + 60, stream), 90)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    else:
        for _ in range(3):
            x, y = stream.uniform(-0.2, 0.9, 2) * side
            wide, tall = stream.uniform(0.15, 0.6, 2) * side
            colour = (*_tone(base, stream), 160)
            draw.rectangle((x, y, x + wide, y + tall), fill=colour)
    return wall


def _spread(
    stream: np.random.Generator, cells: int, light: float, hue: float
) -> NDArray[np.float64]:
    """Random cells that differ more in lightness than in hue, as real places do."""
    return light * stream.standard_normal((cells, cells, 1)) + hue * stream.standard_normal(
        (cells, cells, 3)
    )


def _tone(base: NDArray[np.float64], stream: np.random.Generator) -> list[int]:
    colour = base + 45 * stream.standard_normal() + 18 * stream.standard_normal(3)
    return [int(value) for value in np.clip(colour, 10, 245)]


def _stretched(colours: NDArray[np.float64], side: int) -> Image.Image:
    small = Image.fromarray(np.clip(colours, 10, 245).astype(np.uint8))
    return small.resize((side, side), Image.Resampling.BICUBIC)


def photograph(
    picture: Image.Image,
    mask: Image.Image,
    light: Light,
    centre: tuple[float, float],
    radii: tuple[float, float],
    size: int,
    stream: np.random.Generator,
) -> Pixels:
    """Reduces the drawing to its final size and lights it.

    The head is lit as an ellipsoid, so that one cheek is darker than the other.

    Args:
        picture, mask: the drawing and where the person is.
        light: lamp and camera.
        centre, radii: of the head, in sides of the picture.
        size: of the result, in pixels.
        stream: gives the noise.

    Returns:
        `(size, size, 3)`.
    """
    factor = picture.width // size
    colours = np.asarray(picture.reduce(factor), dtype=np.float32)
    person = np.asarray(mask.reduce(factor), dtype=np.float32)[..., None] / 255
    grid = (np.arange(size, dtype=np.float32) + 0.5) / size
    across = ((grid - centre[0]) / radii[0])[None, :]
    down = ((grid - centre[1]) / radii[1])[:, None]
    # Beyond the ellipsoid's edge the surface turns on slowly, so that no border shows.
    front = np.sqrt(np.maximum(1.15 - across**2 - down**2, 0.08))
    length = np.sqrt(across**2 + down**2 + front**2)
    lamp = np.array([light.x, light.y, 1.0])
    lamp /= np.linalg.norm(lamp)
    facing = (across * lamp[0] + down * lamp[1] + front * lamp[2]) / length
    shading = light.strength * (np.clip(facing, -0.2, 1) - 0.82)
    # Light that has gone through skin is warm: shadows on it are.
    gain = light.exposure * light.tint * (1 + person * shading[..., None] * _SHADOW)
    noise = light.noise * stream.standard_normal((size, size, 3), dtype=np.float32)
    return np.clip(colours * gain + noise, 0, 255).astype(np.uint8)
