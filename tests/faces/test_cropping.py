"""Crops have the framing of FaceNet's scripts, and the face is the one that they would take."""

import numpy as np
import pytest
from PIL import Image

from paenet.faces import Faces, FacesError, choose, crop


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    count = len(boxes)
    points = np.arange(count * 10, dtype=np.float32).reshape(count, 5, 2)
    return Faces(np.array(boxes, np.float32).reshape(count, 4), np.ones(count, np.float32), points)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (120, 150, 3), dtype=np.uint8)


def scaled(pixels: np.ndarray, size: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((size, size), Image.Resampling.BILINEAR))


def test_a_margin_counts_pixels_of_the_crop(image: np.ndarray) -> None:
    # 73 wide: 14 * 73 / (160 - 14) = 7, 3.5 a side; 80 high: 14 * 80 / 146 = 7.67, 3.84 a side.
    # x from 30.2 - 3.5 = 26.7 to 103.2 + 3.5 = 106.7, y from 21 - 3.84 = 17.2 to 104.8.
    assert np.array_equal(crop(image, (30.2, 21, 103.2, 101)), scaled(image[17:104, 26:106], 160))


def test_facenets_script_counts_pixels_of_the_photograph(image: np.ndarray) -> None:
    # 44 in all: 22 a side, whatever the face's size.
    made = crop(image, (40.6, 30.6, 90.2, 80.2), 182, 44, margin_in="photograph")
    assert np.array_equal(made, scaled(image[8:102, 18:112], 182))


def test_a_crop_ends_where_the_photograph_does(image: np.ndarray) -> None:
    assert np.array_equal(crop(image, (-20, -3, 400, 50), 64, 0), scaled(image[0:50, 0:150], 64))


def test_a_crop_of_its_own_size_is_the_pixels(image: np.ndarray) -> None:
    assert np.array_equal(crop(image, (10, 20, 50, 60), 40, 0), image[20:60, 10:50])


def test_a_crop_takes_grey_images(image: np.ndarray) -> None:
    made = crop(image[:, :, 0], (10, 20, 50, 60), 40, 0)
    assert np.array_equal(made, np.repeat(image[20:60, 10:50, :1], 3, axis=2))


@pytest.mark.parametrize(
    ("box", "arguments", "named"),
    [
        ((200, 10, 220, 30), {}, "no pixel"),
        ((-30, -30, -10, -10), {"margin": 0}, "no pixel"),
        ((10, 10, 10.4, 30), {"margin": 0}, "no pixel"),
        ((1, 2, 3), {}, "four"),
        ((1, 2, 3, float("nan")), {}, "finite"),
        ((1, 2, 30, 40), {"size": 0}, "size"),
        ((1, 2, 30, 40), {"margin": -1}, "margin"),
        ((1, 2, 30, 40), {"margin": 160}, "margin: 160; give 0 or more, and less than the size"),
        (
            (1, 2, 30, 40),
            {"margin": -1, "margin_in": "photograph"},
            "margin: -1; give 0 or more, a finite number",
        ),
        ((1, 2, 30, 40), {"margin_in": "photo"}, "margin_in: 'photo'; give crop, photograph"),
    ],
)
def test_what_gives_no_crop_is_named(
    box: tuple[float, ...], arguments: dict, named: str, image: np.ndarray
) -> None:
    with pytest.raises(FacesError, match=named):
        crop(image, box, **arguments)


def test_the_central_face_may_be_the_smaller() -> None:
    # In 200 x 100: areas 2500 and 1600; centres 75 and 0 pixels from (100, 50).
    found = faces((0, 25, 50, 75), (80, 30, 120, 70))
    assert choose(found, 100, 200, "central").boxes.tolist() == [[80, 30, 120, 70]]
    assert choose(found, 100, 200, "largest").boxes.tolist() == [[0, 25, 50, 75]]
    assert choose(found, 100, 200, "all") is found


def test_size_weighs_against_distance_as_in_facenets_script() -> None:
    # Areas 2500 and 1600: the larger loses once twice its squared distance is more than 900.
    central = (80, 30, 120, 70)
    for distance, expected in ((21, 0), (22, 1)):
        found = faces((75 + distance, 25, 125 + distance, 75), central)
        chosen = choose(found, 100, 200)
        assert chosen.landmarks.tolist() == found.landmarks[[expected]].tolist()


@pytest.mark.parametrize("which", ["central", "largest", "all"])
def test_of_no_faces_none_is_chosen(which: str) -> None:
    assert len(choose(faces(), 100, 200, which)) == 0


@pytest.mark.parametrize("count", [0, 1])
def test_a_choice_that_there_is_not_is_named_with_those_that_there_are(count: int) -> None:
    found = faces(*[(0, 25, 50, 75)] * count)
    with pytest.raises(FacesError, match="which: 'centre'; give central, largest, all"):
        choose(found, 100, 200, "centre")
