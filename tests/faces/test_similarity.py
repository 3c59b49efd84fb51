"""Alignment by landmarks finds the very transform that moved them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.faces import TEMPLATE, Detector, FacesError, align, similarity


def matrix(scale: float, angle: float, x: float, y: float) -> np.ndarray:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


def moved(points: np.ndarray, by: np.ndarray) -> np.ndarray:
    return points @ by[:, :2].T + by[:, 2]


@given(
    scale=st.floats(0.01, 100),
    angle=st.floats(-np.pi, np.pi),
    x=st.floats(-1000, 1000),
    y=st.floats(-1000, 1000),
)
def test_a_moved_template_is_moved_back_exactly(
    scale: float, angle: float, x: float, y: float
) -> None:
    truth = matrix(scale, angle, x, y)
    np.testing.assert_allclose(similarity(TEMPLATE, moved(TEMPLATE, truth)), truth, atol=1e-7)
    back = similarity(moved(TEMPLATE, truth), TEMPLATE)
    np.testing.assert_allclose(moved(moved(TEMPLATE, truth), back), TEMPLATE, atol=1e-6)


def umeyama(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Umeyama (1991), eq. 40-42, as the paper has it."""
    from_, to = source - source.mean(0), target - target.mean(0)
    u, d, vt = np.linalg.svd(to.T @ from_ / len(source))
    sign = np.diag([1.0, np.linalg.det(u) * np.linalg.det(vt)])
    rotation = u @ sign @ vt
    scale = np.trace(np.diag(d) @ sign) / (from_**2).sum(1).mean()
    return np.c_[scale * rotation, target.mean(0) - scale * rotation @ source.mean(0)]


@given(seed=st.integers(0, 2**16))
def test_for_any_points_it_is_umeyamas(seed: int) -> None:
    random = np.random.default_rng(seed)
    source, target = random.normal(size=(2, 5, 2))
    np.testing.assert_allclose(similarity(source, target), umeyama(source, target), atol=1e-9)


def test_many_faces_are_moved_at_once() -> None:
    random = np.random.default_rng(0)
    source = random.normal(size=(3, 4, 5, 2))
    together = similarity(source, TEMPLATE)
    assert together.shape == (3, 4, 2, 3)
    np.testing.assert_allclose(together[2, 1], similarity(source[2, 1], TEMPLATE))


def assert_equal(made: np.ndarray, expected: np.ndarray) -> None:
    # Pillow cuts a value off where the last bit of a coordinate is short of a pixel's centre.
    np.testing.assert_allclose(made.astype(int), expected.astype(int), atol=1)


def test_landmarks_on_the_template_leave_the_image_as_it_is() -> None:
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    assert_equal(align(image, TEMPLATE, 112), image)


def test_a_shift_by_whole_pixels_moves_pixels() -> None:
    image = np.random.default_rng(0).integers(0, 256, (130, 140, 3), dtype=np.uint8)
    assert_equal(align(image, TEMPLATE + np.array([20, 10]), 112), image[10:122, 20:132])
    outside = align(image, TEMPLATE - np.array([5, 0]), 112)
    assert not outside[:, :5].any()
    assert_equal(outside[:, 5:], image[:112, :107])


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_large_face_is_averaged_not_sampled(factor: int) -> None:
    checks = (np.indices((112 * factor, 112 * factor)).sum(0) % 2 * 255).astype(np.uint8)
    # The centre of a block of `factor` pixels.
    made = align(checks, TEMPLATE * factor + (factor - 1) / 2, 112)
    assert made[8:-8, 8:-8].min() > 100
    assert made[8:-8, 8:-8].max() < 155


def test_an_aligned_face_has_its_landmarks_at_the_template(
    detector: Detector, portraits: list[np.ndarray]
) -> None:
    for image, faces in zip(portraits, detector.detect(portraits), strict=True):
        made = np.pad(align(image, faces.landmarks[0], 160), ((40, 40), (40, 40), (0, 0)))
        again = detector.detect([made])[0].landmarks[0] - 40
        assert abs(again - TEMPLATE * (160 / 112)).mean() < 6


@pytest.mark.parametrize(
    ("landmarks", "size", "named"),
    [
        (np.ones((5, 2)), 112, "one place"),
        (np.full((5, 2), np.nan), 112, "finite"),
        (TEMPLATE[:4], 112, "five"),
        (TEMPLATE, 0, "size"),
    ],
)
def test_what_cannot_be_aligned_is_refused(landmarks: np.ndarray, size: int, named: str) -> None:
    with pytest.raises(FacesError, match=named):
        align(np.zeros((50, 50, 3), np.uint8), landmarks, size)


def test_an_empty_image_cannot_be_aligned() -> None:
    with pytest.raises(FacesError, match="empty"):
        align(np.zeros((0, 5, 3), np.uint8), TEMPLATE)
