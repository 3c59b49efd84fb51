"""Which face of a photograph is meant, and cutting it out by its box."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image as Pillow

from paenet.faces.detector import Faces
from paenet.faces.errors import FacesError
from paenet.faces.pixels import Image, Pixels, rgb

Which = Literal["central", "largest", "all"]
MarginIn = Literal["crop", "photograph"]


def choose(faces: Faces, height: int, width: int, which: Which = "central") -> Faces:
    """The face that a photograph is about.

    Args:
        faces: of one photograph.
        height, width: of the photograph, in pixels.
        which: `central`: the largest area less twice the squared distance of its centre from the
            photograph's, as FaceNet's `align_dataset_mtcnn.py` takes it; `largest`: the largest
            area; `all`: every face, as they are.

    Returns:
        One face, or all of them; none where there is none.

    Raises:
        FacesError: where `which` is none of these.
    """
    check_choice("which", which, Which)
    if which == "all" or len(faces) == 0:
        return faces
    low, high = faces.boxes[:, :2], faces.boxes[:, 2:]
    weight = (high - low).prod(1)
    if which == "central":
        away = (low + high) / 2 - np.array([width, height], np.float32) / 2
        weight = weight - 2 * (away**2).sum(1)
    return faces.select([int(weight.argmax())])


def crop(
    image: Image,
    box: ArrayLike,
    size: int = 160,
    margin: float = 14,
    *,
    margin_in: MarginIn = "crop",
) -> Pixels:
    """A face and some margin around it, scaled to a square.

    The defaults are facenet-pytorch's `extract_face`, by which FaceNet is evaluated on LFW:
    `margin` is in pixels of the crop, half of it on each side, so that it grows with the face.
    FaceNet's own `align_dataset_mtcnn.py` takes it in pixels of the photograph:
    `crop(image, box, 182, 44, margin_in="photograph")`. In both, the margin ends where the
    photograph does, and corners are cut to whole pixels; scaling is Pillow's bilinear filter,
    which is antialiased.

    Args:
        image: as `rgb` takes it.
        box: x1, y1, x2, y2 in pixels.
        size: of the square, in pixels.
        margin: both sides together, in pixels; less than `size` where it is in the crop's.
        margin_in: whose pixels the margin counts.

    Returns:
        `(size, size, 3)`.

    Raises:
        FacesError: where the box has no pixel in the image, size or margin is out of range, or
            `margin_in` is neither.
    """
    check_framing(size, margin, margin_in)
    pixels = rgb(image)
    corners = np.asarray(box, dtype=np.float64)
    if corners.shape != (4,) or not np.isfinite(corners).all():
        raise FacesError(f"box {corners.tolist()}: give four finite numbers: x1, y1, x2, y2")
    low, high = corners[:2], corners[2:]
    around = margin * (high - low) / (size - margin) if margin_in == "crop" else margin
    height, width = pixels.shape[:2]
    left, top = (int(value) for value in np.maximum(low - around / 2, 0))
    right, bottom = (int(value) for value in np.minimum(high + around / 2, (width, height)))
    if left >= right or top >= bottom:
        raise FacesError(
            f"box {corners.round(1).tolist()} has no pixel in an image of {width}x{height}"
        )
    face = Pillow.fromarray(np.ascontiguousarray(pixels[top:bottom, left:right]))
    return np.asarray(face.resize((size, size), Pillow.Resampling.BILINEAR))


def check_framing(size: int, margin: float, margin_in: MarginIn = "crop") -> None:
    """Refuses a size or a margin of which no crop can be made.

    Raises:
        FacesError: names the value and the range.
    """
    check_choice("margin_in", margin_in, MarginIn)
    if size < 1:
        raise FacesError(f"size: {size}; give at least 1 pixel")
    in_crop = margin_in == "crop"
    if not 0 <= margin < (size if in_crop else math.inf):
        most = f", and less than the size, {size}" if in_crop else ", a finite number"
        raise FacesError(f"margin: {margin:g}; give 0 or more{most}")


def check_choice(name: str, value: object, kind: Any) -> None:
    """Refuses a value that is not one of a `Literal`'s.

    Raises:
        FacesError: names it and those that there are.
    """
    known = get_args(kind)
    if value not in known:
        raise FacesError(f"{name}: {value!r}; give {', '.join(known)}")
