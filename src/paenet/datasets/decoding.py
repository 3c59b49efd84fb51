"""From the bytes of an image file to pixels. The bytes come from outside: nothing is trusted."""

from __future__ import annotations

import io

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Pixels

# What cameras and data sets use. Others stay shut: Pillow would start Ghostscript for an EPS.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF", "PPM")
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
MAX_PIXELS = 110_000_000  # telephones take photographs of 108 million
MAX_BYTES = 64 * 2**20


def decode(data: bytes, name: str) -> Pixels:
    """The pixels of an image file, upright (its EXIF orientation applied), RGB.

    Args:
        data: the whole file.
        name: the path for errors.

    Returns:
        `(height, width, 3)`.

    Raises:
        DataError: where it is no image, is truncated, or is larger than `MAX_PIXELS`.
    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise DataError(
                    f"{name}: {image.width}x{image.height} pixels; "
                    f"at most {MAX_PIXELS // 10**6} million are read"
                )
            return upright(image)
    except DataError:
        raise
    except UnidentifiedImageError:
        kinds = ", ".join(FORMATS)
        what = "HEIC or AVIF, which is not read" if data[4:8] == b"ftyp" else "not an image"
        raise DataError(f"{name}: {what} ({len(data)} bytes); it can be {kinds}") from None
    # Decoders of broken bytes raise nearly anything: OSError, SyntaxError, struct.error, ...
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{name}: broken image: {reason}") from None


def upright(image: Image.Image) -> Pixels:
    """The pixels of Pillow's image, its EXIF orientation applied, RGB.

    Returns:
        `(height, width, 3)`.

    Raises:
        ValueError: where its pixels have no known range.
    """
    image.load()
    turn = _TURNS.get(_orientation(image))
    turned = image if turn is None else image.transpose(turn)
    return np.array(_eight_bits(turned).convert("RGB"))


def _orientation(image: Image.Image) -> int:
    """As EXIF has it, 1 for upright; a photograph whose EXIF is damaged is taken as it lies."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # whatever its bytes lead to: SyntaxError, struct.error, ...
        return 1


def _eight_bits(image: Image.Image) -> Image.Image:
    """16-bit grey by its high byte; Pillow would clip it to white."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixels of mode {image.mode!r} have no known range; save it in 8 bits")
    return image


def fit(pixels: Pixels, size: int) -> Pixels:
    """An image as a square: its shorter side scaled to `size`, its centre cut out.

    Scaling is antialiased (Pillow's bilinear filter, whose support grows as the image shrinks).

    Args:
        pixels: `(height, width, 3)`.
        size: of the square, in pixels.

    Returns:
        `(size, size, 3)`.
    """
    height, width = pixels.shape[:2]
    if height == width == size:
        return pixels
    side = min(height, width)
    left, top = (width - side) / 2, (height - side) / 2
    square = Image.fromarray(pixels).resize(
        (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
    )
    return np.asarray(square)
