"""A canvas for shapes in head coordinates: turned in space, then drawn in the plane.

Head coordinates are in half head heights: x to the right, y down, z towards the viewer; the crown
is at y = -1, an adult's chin at y = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from paenet.datasets.synthetic.person import Colour

Points = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """How a head is held and where; angles in radians, `x`, `y`, `scale` in image sides."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    scale: float


class Canvas:
    """Draws into a large picture that is then reduced: that is the antialiasing.

    Args:
        background: `(side, side)` RGB, drawn upon.
        pose: of the head; the body follows it by a part.

    Attributes:
        picture: what has been drawn.
        mask: where the person is, as "L".
    """

    def __init__(self, background: Image.Image, pose: Pose) -> None:
        self.picture = background
        self.mask = Image.new("L", background.size)
        # Blending is slower, and most shapes are opaque.
        self._paint = ImageDraw.Draw(self.picture)
        self._glaze = ImageDraw.Draw(self.picture, "RGBA")
        self._mask = ImageDraw.Draw(self.mask)
        side = background.width
        self.unit = pose.scale * side
        self._centre = np.array([pose.x, pose.y]) * side
        self._head = _matrix(pose.yaw, pose.pitch, pose.roll) * self.unit
        self._body = _matrix(0.25 * pose.yaw, 0, 0.2 * pose.roll) * self.unit

    def project(self, points: ArrayLike, *, body: bool = False) -> Points:
        """`(n, 3)` head coordinates to `(n, 2)` pixels."""
        matrix = self._body if body else self._head
        return np.asarray(points, dtype=np.float64) @ matrix + self._centre

    def fill(
        self,
        points: ArrayLike,
        colour: Colour,
        alpha: float = 1.0,
        *,
        smooth: bool = False,
        solid: bool = False,
        body: bool = False,
    ) -> None:
        """Fills a polygon.

        Args:
            points: `(n, 3)` its corners.
            colour: of the inside.
            alpha: 0 transparent, 1 opaque.
            smooth: draw a round curve through the corners.
            solid: it is part of the person's silhouette.
            body: it moves with the body.
        """
        corners = np.asarray(points, dtype=np.float64)
        if smooth:
            corners = closed_curve(corners)
        flat = self.project(corners, body=body).ravel().tolist()
        self._polygon(flat, colour, alpha)
        if solid:
            self._mask.polygon(flat, fill=255)

    def stroke(
        self,
        points: ArrayLike,
        colour: Colour,
        width: float,
        alpha: float = 1.0,
        *,
        taper: tuple[float, float] = (0.0, 0.0),
        smooth: bool = True,
    ) -> None:
        """Draws a line whose ends may be thinner than its middle.

        Args:
            points: `(n, 3)` along the line.
            colour: of the line.
            width: in the middle, in half head heights.
            alpha: 0 transparent, 1 opaque.
            taper: width at the beginning and at the end, as shares of `width`.
            smooth: draw a round curve through the points.
        """
        if alpha <= 0.01 or width <= 0:
            return
        line = np.asarray(points, dtype=np.float64)
        if smooth:
            line = open_curve(line)
        line = self.project(line)
        across = np.empty_like(line)
        across[1:-1] = line[2:] - line[:-2]
        across[0], across[-1] = line[1] - line[0], line[-1] - line[-2]
        across = across[:, ::-1] * (-1, 1)
        reach = self.unit * width / 2 * _profile(len(line), *taper)
        reach /= np.sqrt((across * across).sum(axis=1)) + 1e-9
        side = across * reach[:, None]
        flat = np.concatenate([line + side, (line - side)[::-1]]).ravel().tolist()
        self._polygon(flat, colour, alpha)

    def loop(self, points: ArrayLike, colour: Colour, width: float) -> None:
        """Draws a closed round line of even width."""
        line = self.project(closed_curve(np.asarray(points, dtype=np.float64)))
        flat = np.concatenate([line, line[:2]]).ravel().tolist()
        self._paint.line(flat, fill=colour, width=max(1, round(width * self.unit)), joint="curve")

    def dot(
        self,
        centre: Points | tuple[float, float, float],
        radius: float,
        colour: Colour,
        alpha: float = 1.0,
    ) -> None:
        """Fills a circle that faces the viewer."""
        x, y = self.project(np.reshape(centre, (1, 3)))[0]
        reach = radius * self.unit
        box = (x - reach, y - reach, x + reach, y + reach)
        self._glaze.ellipse(box, fill=(*colour, round(255 * min(alpha, 1.0))))

    def _polygon(self, flat: list[float], colour: Colour, alpha: float) -> None:
        if alpha >= 0.98:
            self._paint.polygon(flat, fill=colour)
        else:
            self._glaze.polygon(flat, fill=(*colour, round(255 * alpha)))


def closed_curve(points: Points, steps: int = 6) -> Points:
    """A closed Catmull-Rom curve through the points, `(n * steps, k)`."""
    return _closed(len(points), steps) @ points


def open_curve(points: Points, steps: int = 5) -> Points:
    """An open Catmull-Rom curve through the points, `((n - 1) * steps + 1, k)`."""
    return _open(len(points), steps) @ points


@cache
def _profile(count: int, start: float, end: float) -> Points:
    """A stroke's width along its way, as a share of the largest."""
    place = np.linspace(0, 1, count)
    ends = np.where(place < 0.5, start, end)
    return np.asarray(ends + (1 - ends) * np.sin(np.pi * place) ** 0.7)


def _weights(steps: int) -> Points:
    """Weights of the four points around each step between the middle two."""
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    powers = np.concatenate([np.ones_like(t), t, t**2, t**3], axis=1)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ basis)


@cache
def _closed(count: int, steps: int) -> Points:
    matrix = np.zeros((count * steps, count))
    for segment in range(count):
        for place in range(4):
            rows = slice(segment * steps, (segment + 1) * steps)
            matrix[rows, (segment + place - 1) % count] += _weights(steps)[:, place]
    return matrix


@cache
def _open(count: int, steps: int) -> Points:
    matrix = np.zeros(((count - 1) * steps + 1, count))
    for segment in range(count - 1):
        for place in range(4):
            rows = slice(segment * steps, (segment + 1) * steps)
            point = min(max(segment + place - 1, 0), count - 1)
            matrix[rows, point] += _weights(steps)[:, place]
    matrix[-1, -1] = 1
    return matrix


def _matrix(yaw: float, pitch: float, roll: float) -> Points:
    """`(3, 2)`: turns about the vertical, then nods, then tilts, then drops the depth."""
    turn = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array(
        [[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]]
    )
    tilt = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)], [0, 0]])
    return np.asarray(turn @ nod @ tilt)
