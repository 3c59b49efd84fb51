"""Alignment by five landmarks: a face is turned, scaled and moved until they fit a template."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Pillow

from paenet.faces.errors import FacesError
from paenet.faces.pixels import Image, Pixels, rgb

TEMPLATE_SIZE = 112
TEMPLATE: NDArray[np.float64] = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""Where ArcFace (Deng et al., 2019) has the landmarks in a crop of 112x112 pixels."""


def similarity(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """The rotation, uniform scale and shift that bring points nearest to others.

    Least squares without reflection: Umeyama (1991), eq. 40-42. In the plane a rotation with a
    scale is one complex factor, so that his singular values are not needed.

    Args:
        source, target: `(..., N, 2)` points, N >= 2.

    Returns:
        `(..., 2, 3)`: `matrix[:, :2] @ point + matrix[:, 2]` is near the target.

    Raises:
        FacesError: where all points of a source are one, or one is not finite.
    """
    start, end = _complex(source), _complex(target)
    middle, aim = start.mean(-1, keepdims=True), end.mean(-1, keepdims=True)
    spread = (abs(start - middle) ** 2).sum(-1)
    if not (spread > 0).all():
        raise FacesError("landmarks are all in one place; no rotation can be found from them")
    factor = ((start - middle).conj() * (end - aim)).sum(-1) / spread
    shift = aim[..., 0] - factor * middle[..., 0]
    rows = (factor.real, -factor.imag, shift.real, factor.imag, factor.real, shift.imag)
    return np.stack(rows, -1).reshape(*factor.shape, 2, 3)


def align(image: Image, landmarks: ArrayLike, size: int = 112) -> Pixels:
    """A face brought to ArcFace's template, scaled to `size`.

    Pixel centres are at whole coordinates, as in OpenCV's `warpAffine`; bilinear, black outside
    the photograph. A face that shrinks by two or more is averaged down first.

    Args:
        image: as `rgb` takes it.
        landmarks: `(5, 2)` as `Faces` has them, in pixels.
        size: of the square, in pixels.

    Returns:
        `(size, size, 3)`.

    Raises:
        FacesError: where the landmarks are one point or not five, or the size is below 1.
    """
    if size < 1:
        raise FacesError(f"size: {size}; give at least 1 pixel")
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != TEMPLATE.shape:
        raise FacesError(f"landmarks of shape {points.shape}; give five of x and y, (5, 2)")
    pixels = rgb(image)
    if 0 in pixels.shape:
        raise FacesError("the image is empty; give one with pixels")
    back = _inverse(similarity(points, TEMPLATE * (size / TEMPLATE_SIZE)))
    # From here on corners, not centres, are at whole coordinates: as Pillow counts.
    back[:, 2] += 0.5 - back[:, :2].sum(1) / 2
    photograph = Pillow.fromarray(np.ascontiguousarray(pixels))
    shrinks = int(min(np.hypot(*back[:, 0]), max(photograph.size)))
    if shrinks > 1:
        photograph = photograph.reduce(shrinks)
        back = back / shrinks
    coefficients = tuple(back.ravel().tolist())
    face = photograph.transform(
        (size, size), Pillow.Transform.AFFINE, coefficients, Pillow.Resampling.BILINEAR
    )
    return np.asarray(face)


def _inverse(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The similarity that undoes another, `(2, 3)` both."""
    cos, sin = matrix[:, 0]
    scale = cos**2 + sin**2
    if not scale > 0:
        raise FacesError("landmarks have no likeness to a face; no rotation can be found from them")
    turn = np.array([[cos, sin], [-sin, cos]]) / scale
    return np.c_[turn, -turn @ matrix[:, 2]]


def _complex(points: ArrayLike) -> NDArray[np.complex128]:
    pairs = np.asarray(points, dtype=np.float64)
    if not np.isfinite(pairs).all():
        raise FacesError("landmarks are not finite; give numbers")
    return pairs[..., 0] + 1j * pairs[..., 1]
