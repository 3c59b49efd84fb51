"""Good images come out upright and in colour; bad ones in one line."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from paenet.datasets import DataError
from paenet.datasets.decoding import decode, fit
from tests.datasets.pictures import picture, png


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_a_png_gives_its_pixels() -> None:
    np.testing.assert_array_equal(decode(png(picture(0, 5, 7)), "a"), picture(0, 5, 7))


def test_the_exif_orientation_is_applied() -> None:
    image = Image.fromarray(picture(0, 4, 6))
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    upright = decode(encoded(image, exif=exif.tobytes()), "a")
    np.testing.assert_array_equal(upright, np.rot90(picture(0, 4, 6), -1))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(orientation: int) -> None:
    image = Image.fromarray(picture(0, 4, 6))
    exif = image.getexif()
    exif[0x0112] = orientation
    turned = Image.open(io.BytesIO(encoded(image, exif=exif.tobytes())))
    expected = np.asarray(ImageOps.exif_transpose(turned))
    np.testing.assert_array_equal(decode(encoded(image, exif=exif.tobytes()), "a"), expected)


@pytest.mark.parametrize("options", [{}, {"dpi": (72, 72)}], ids=["bare", "density"])
@pytest.mark.parametrize("exif", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_a_photograph_with_damaged_exif_is_taken_as_it_lies(
    exif: bytes, options: dict[str, object]
) -> None:
    image = Image.fromarray(picture(0, 16, 24))
    plain = decode(encoded(image, "JPEG", **options), "a")
    np.testing.assert_array_equal(decode(encoded(image, "JPEG", exif=exif, **options), "a"), plain)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_every_usual_mode_becomes_rgb(mode: str) -> None:
    image = Image.fromarray(picture(0)).convert(mode)
    pixels = decode(encoded(image, "TIFF"), "a")
    assert pixels.shape == (12, 12, 3)
    assert pixels.dtype == np.uint8


def test_16_bit_grey_is_scaled_not_clipped() -> None:
    grey = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)
    pixels = decode(encoded(Image.fromarray(grey)), "a")
    np.testing.assert_array_equal(pixels[0, :, 0], [0, 1, 128, 255])


def test_a_file_that_is_no_image_is_named() -> None:
    with pytest.raises(DataError, match=r"^a\.jpg: not an image \(5 bytes\)"):
        decode(b"hello", "a.jpg")


def test_a_kind_of_photograph_that_is_not_read_is_named() -> None:
    with pytest.raises(DataError, match=r"^a\.heic: HEIC or AVIF, which is not read \(16 bytes\)"):
        decode(b"\0\0\0\x18ftypheic\0\0\0\0", "a.heic")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_truncated_image_is_broken(kind: str) -> None:
    data = encoded(Image.fromarray(picture(0, 64, 64)), kind)
    with pytest.raises(DataError, match=r"^a: "):
        decode(data[: len(data) // 2], "a")


def test_an_image_that_claims_to_be_huge_is_not_decoded() -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 11000, 11000, 8, 2, 0, 0, 0))
    bomb = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")
    with pytest.raises(DataError, match=r"a: 11000x11000 pixels; at most 110 million are read"):
        decode(bomb, "a")


def test_postscript_is_never_run() -> None:
    with pytest.raises(DataError, match="not an image"):
        decode(encoded(Image.fromarray(picture(0)), "EPS"), "a")


@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4), st.sampled_from(["PNG", "JPEG"]))
def test_damaged_bytes_decode_or_are_refused_and_nothing_else(
    place: int, noise: bytes, kind: str
) -> None:
    data = bytearray(encoded(Image.fromarray(picture(0)), kind))
    place %= len(data)
    data[place : place + len(noise)] = noise
    try:
        found = decode(bytes(data), "a").shape[2:]
    except DataError as error:
        found = str(error)
    assert found == (3,) or re.fullmatch("a: .+", found)


def test_fit_keeps_an_image_of_the_right_size() -> None:
    np.testing.assert_array_equal(fit(picture(0, 8, 8), 8), picture(0, 8, 8))


@pytest.mark.parametrize(("height", "width"), [(8, 20), (20, 8)])
def test_fit_cuts_out_the_centre(height: int, width: int) -> None:
    pixels = picture(0, height, width)
    middle = pixels[:, 6:14] if width > height else pixels[6:14]
    np.testing.assert_array_equal(fit(pixels, 8), middle)


def test_fit_averages_where_it_shrinks() -> None:
    stripes = np.zeros((64, 64, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    # A filter without averaging would give 0 or 255.
    assert np.abs(fit(stripes, 8).astype(int) - 127).max() <= 8
