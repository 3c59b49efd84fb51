"""One picture of one person."""

from __future__ import annotations

import numpy as np

from paenet.datasets.examples import Pixels
from paenet.datasets.synthetic import features, hair, head, scene
from paenet.datasets.synthetic.canvas import Canvas, Pose
from paenet.datasets.synthetic.expression import act
from paenet.datasets.synthetic.face import Face
from paenet.datasets.synthetic.person import Colour, Person


def render(
    person: Person, age: float, expression: str, size: int, stream: np.random.Generator
) -> Pixels:
    """Draws a person as a camera might see them.

    Args:
        person: who.
        age: years, when the picture is taken.
        expression: one of `EXPRESSIONS`.
        size: of the square picture, in pixels.
        stream: gives pose, light, clothes, background and noise.

    Returns:
        `(size, size, 3)` RGB.
    """
    action, pose, light = act(expression, stream), _draw_pose(stream), scene.draw_light(stream)
    face = Face(person, age, action, pose.yaw)
    # Samples for each pixel and axis; large pictures need fewer.
    side = size * (3 if size <= 200 else 2)
    canvas = Canvas(scene.draw_background(side, stream), pose)
    style = hair.style_of(face)

    head.draw_body(canvas, face, _cloth(stream), head.COLLARS[stream.integers(len(head.COLLARS))])
    hair.draw_back_hair(canvas, face, style)
    head.draw_neck(canvas, face)
    head.draw_ears(canvas, face)
    head.draw_skull(canvas, face)
    head.draw_lines(canvas, face)
    hair.draw_beard(canvas, face)
    features.draw_mouth(canvas, face)
    features.draw_nose(canvas, face, light.x)
    gaze = stream.uniform(-0.6, 0.6), stream.uniform(-0.4, 0.6)
    features.draw_eyes(canvas, face, gaze)
    features.draw_brows(canvas, face)
    hair.draw_front_hair(canvas, face, style)
    if person.earrings and age > 8 and style.sides < 0.3:
        head.draw_earrings(canvas, face)
    if person.glasses and age > 6:
        features.draw_glasses(canvas, face)

    radii = 1.12 * face.half_width * pose.scale, 1.12 * pose.scale
    return scene.photograph(
        canvas.picture, canvas.mask, light, (pose.x, pose.y), radii, size, stream
    )


def _draw_pose(stream: np.random.Generator) -> Pose:
    yaw, pitch, roll = np.clip(stream.standard_normal(3), -2, 2) * (0.22, 0.09, 0.09)
    return Pose(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        x=stream.uniform(0.47, 0.53) - 0.07 * float(np.sin(yaw)),
        y=stream.uniform(0.49, 0.53),
        scale=stream.uniform(0.365, 0.41),
    )


def _cloth(stream: np.random.Generator) -> Colour:
    colour = stream.uniform(40, 215, 3)
    red, green, blue = (round(value) for value in 0.6 * colour + 0.4 * colour.mean())
    return red, green, blue
