"""What counts as an image in this room."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from paenet.datasets.decoding import upright
from paenet.faces.errors import FacesError

Pixels = NDArray[np.uint8]
Image = NDArray[Any] | Pillow.Image


def rgb(image: Image) -> Pixels:
    """An image as red, green and blue.

    Args:
        image: uint8 `(height, width)`, or `(height, width, C)` with C = 1 (grey), 3 (RGB) or 4
            (RGBA; alpha is left out); or Pillow's, which is turned upright as its EXIF says.

    Returns:
        `(height, width, 3)`; of an array in RGB a view.

    Raises:
        FacesError: where it is none of these.
    """
    if isinstance(image, Pillow.Image):
        return upright(image)
    if not isinstance(image, np.ndarray):
        raise FacesError(f"a {type(image).__name__} is no image; give an array or Pillow's image")
    if image.dtype != np.uint8:
        raise FacesError(f"pixels are {image.dtype}; give uint8, 0 to 255")
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise FacesError(
            f"an array of shape {image.shape} is no image; give (height, width, 3), "
            "grey (height, width) or RGBA (height, width, 4)"
        )
    if channels == 1:
        return np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
    return image[:, :, :3]
