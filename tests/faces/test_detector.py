"""Faces are found where MTCNN, written down plainly, finds them, however images are batched."""

import numpy as np
import pytest
from PIL import Image

from paenet.faces import Detector, Faces, FacesError
from paenet.faces import detector as module
from paenet.faces.networks import load_networks
from tests.faces import plain_mtcnn


def assert_same(found: Faces, expected: Faces) -> None:
    assert len(found) == len(expected)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=1e-3)


def test_faces_are_those_of_plain_mtcnn(detector: Detector, photographs: list[np.ndarray]) -> None:
    networks = load_networks()
    found = detector.detect(photographs)
    assert [len(faces) for faces in found] == [1, 2, 0, 1, 1]
    for faces, image in zip(found, photographs, strict=True):
        assert_same(faces, plain_mtcnn.detect(networks, image))


@pytest.mark.parametrize("pixels", [1, 60_000])
def test_a_batch_gives_what_each_image_gives_alone(
    pixels: int,
    detector: Detector,
    photographs: list[np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    together = detector.detect(photographs)
    for faces, image in zip(together, photographs, strict=True):
        assert_same(faces, detector.detect([image])[0])
    monkeypatch.setattr(module, "_PIXELS", pixels)
    monkeypatch.setattr(module, "_WINDOWS", 3)
    for faces, others in zip(together, detector.detect(photographs), strict=True):
        assert_same(faces, others)


def test_landmarks_lie_in_their_box_and_in_their_order(
    detector: Detector, portraits: list[np.ndarray]
) -> None:
    for faces in detector.detect(portraits):
        (left, top, right, bottom), points = faces.boxes[0], faces.landmarks[0]
        assert ((points > (left, top)) & (points < (right, bottom))).all()
        left_eye, right_eye, nose, mouth_left, mouth_right = points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert mouth_left[0] < mouth_right[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(mouth_left[1], mouth_right[1])


@pytest.mark.parametrize("shape", [(0, 0), (0, 50), (1, 1), (19, 200), (40, 40)])
def test_an_image_that_is_empty_tiny_or_blank_has_no_face(
    shape: tuple[int, int], detector: Detector, portraits: list[np.ndarray]
) -> None:
    blank = np.full((*shape, 3), 200, np.uint8)
    found = detector.detect([portraits[0], blank, blank])
    assert [len(faces) for faces in found] == [1, 0, 0]
    alone = detector.detect([blank])[0]
    assert (alone.boxes.shape, alone.scores.shape) == ((0, 4), (0,))
    assert alone.landmarks.shape == (0, 5, 2)


def test_no_images_have_no_faces(detector: Detector) -> None:
    assert detector.detect([]) == []


def test_grey_alpha_and_pillow_are_images_too(
    detector: Detector, portraits: list[np.ndarray]
) -> None:
    image = portraits[0]
    grey = np.asarray(Image.fromarray(image).convert("L"))
    alpha = np.dstack((image, np.zeros(image.shape[:2], np.uint8)))
    plain, as_grey, column, as_grey3, with_alpha, pillow = detector.detect(
        [
            image,
            grey,
            grey[:, :, None],
            np.dstack((grey, grey, grey)),
            alpha,
            Image.fromarray(image),
        ]
    )
    assert len(plain) == len(as_grey) == 1
    assert_same(as_grey, as_grey3)
    assert_same(column, as_grey3)
    assert_same(with_alpha, plain)
    assert_same(pillow, plain)


def test_pillows_image_is_turned_upright(detector: Detector, portraits: list[np.ndarray]) -> None:
    turned = Image.fromarray(portraits[0]).transpose(Image.Transpose.ROTATE_90)
    turned.getexif()[0x0112] = 6  # to be seen upright, turn it by 90 degrees clockwise
    upright, plain = detector.detect([turned, portraits[0]])
    assert_same(upright, plain)


def test_a_larger_min_face_leaves_small_faces_out(
    detector: Detector, photographs: list[np.ndarray]
) -> None:
    assert len(detector.detect(photographs[:1])[0]) == 1
    assert len(Detector(min_face=155).detect(photographs[:1])[0]) == 0


def test_thresholds_only_take_faces_away(photographs: list[np.ndarray]) -> None:
    assert not any(map(len, Detector(thresholds=(0.6, 0.7, 1.0)).detect(photographs)))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"thresholds": (0.6, 0.7, 1.5)}, "thresholds"),
        ({"thresholds": (0.6, 0.7)}, "thresholds"),
        ({"factor": 1.0}, "factor"),
        ({"factor": 0}, "factor"),
        ({"min_face": 5}, "min_face"),
        ({"min_face": float("nan")}, "min_face"),
    ],
)
def test_an_argument_out_of_range_is_named(arguments: dict, named: str) -> None:
    with pytest.raises(FacesError, match=named):
        Detector(**arguments)


@pytest.mark.parametrize(
    "image",
    [np.zeros((5, 5, 2), np.uint8), np.zeros((3, 4, 5, 3), np.uint8), np.zeros((5, 5)), "a.png"],
)
def test_what_is_no_image_is_refused(image: object, detector: Detector) -> None:
    with pytest.raises(FacesError):
        detector.detect([image])
