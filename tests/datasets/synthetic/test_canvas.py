"""Shapes land where geometry puts them."""

import numpy as np
import pytest
from PIL import Image

from paenet.datasets.synthetic.canvas import Canvas, Pose, closed_curve, open_curve

STRAIGHT = Pose(yaw=0, pitch=0, roll=0, x=0.5, y=0.5, scale=0.25)


def canvas(pose: Pose = STRAIGHT) -> Canvas:
    return Canvas(Image.new("RGB", (100, 100)), pose)


def test_the_middle_of_the_head_is_where_the_pose_puts_it() -> None:
    assert canvas().project([(0, 0, 0), (1, 1, 5)]).tolist() == [[50, 50], [75, 75]]


@pytest.mark.parametrize(
    ("turn", "moved"),
    [({"yaw": 0.3}, (1, 0)), ({"pitch": 0.3}, (0, -1)), ({"roll": 0.3}, (0, 0))],
)
def test_the_nose_goes_right_in_a_yaw_and_up_in_a_pitch(
    turn: dict[str, float], moved: tuple[int, int]
) -> None:
    pose = Pose(**{**vars(STRAIGHT), **turn})
    nose = canvas(pose).project([(0, 0, 1)])[0] - 50
    assert np.sign(np.round(nose, 6)).tolist() == list(moved)


def test_a_filled_square_is_in_the_picture_and_only_a_solid_one_in_the_mask() -> None:
    square = [(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)]
    drawn = canvas()
    drawn.fill(square, (200, 100, 50))
    assert drawn.picture.getpixel((50, 50)) == (200, 100, 50)
    assert drawn.picture.getpixel((20, 50)) == (0, 0, 0)
    assert drawn.mask.getbbox() is None
    drawn.fill(square, (200, 100, 50), 0.5, solid=True)
    assert drawn.mask.getpixel((50, 50)) == 255


def test_a_half_transparent_shape_is_mixed_with_what_is_below() -> None:
    drawn = canvas()
    drawn.dot((0, 0, 0), 1, (200, 200, 200), 0.5)
    assert abs(drawn.picture.getpixel((50, 50))[0] - 100) <= 2


def test_a_stroke_tapers() -> None:
    drawn = canvas()
    drawn.stroke([(-1.5, 0, 0), (0, 0, 0), (1.5, 0, 0)], (255, 255, 255), 0.4)
    heights = (np.asarray(drawn.picture)[..., 0] > 0).sum(axis=0)
    assert heights[50] >= 9
    assert heights[16] < heights[30] < heights[50]
    assert heights[5] == 0


def test_curves_go_through_their_points() -> None:
    points = np.array([(0.0, 0.0), (1.0, 2.0), (3.0, 1.0), (2.0, -1.0)])
    np.testing.assert_allclose(closed_curve(points)[::6], points, atol=1e-12)
    np.testing.assert_allclose(open_curve(points)[::5], points, atol=1e-12)
