"""Body, neck, ears, head and the skin with its lines."""

from __future__ import annotations

import numpy as np

from paenet.datasets.synthetic.canvas import Canvas
from paenet.datasets.synthetic.face import Face
from paenet.datasets.synthetic.person import Colour, mix, scaled

SIDES = (-1, 1)
# How deep and how wide a neckline is cut; a high collar is not.
_NECKLINES = {"v": (0.62, 1.25), "round": (0.36, 1.5), "high": (0.0, 0.0)}
COLLARS = tuple(_NECKLINES)


def draw_body(canvas: Canvas, face: Face, cloth: Colour, collar: str) -> None:
    """Shoulders in a garment with a neckline; under the hair that hangs behind."""
    male = not face.person.female
    broad = 1.18 + (0.22 * face.grown if male else 0.04) - 0.3 * face.child
    neck = _neck_width(face)
    top = face.chin_y + 0.2
    right = [
        (neck * 0.9, top, -0.2),
        (neck * 1.5, top + 0.1, -0.2),
        (broad * 0.75, top + 0.24, -0.2),
        (broad, top + 0.48, -0.2),
        (broad * 1.08, 2.4, -0.2),
    ]
    left = [(-x, y, z) for x, y, z in reversed(right)]
    canvas.fill([*right, *left], cloth, solid=True, body=True)
    _draw_neckline(canvas, face, collar, cloth)


def _neck_width(face: Face) -> float:
    male = not face.person.female
    return 0.4 + (0.09 * face.grown if male else 0.0) - 0.08 * face.child


def _draw_neckline(canvas: Canvas, face: Face, collar: str, cloth: Colour) -> None:
    neck, top = _neck_width(face), face.chin_y + 0.2
    deep, width = _NECKLINES[collar]
    if deep:
        skin = [(neck * width, top + 0.08, -0.2), (neck * 0.8, top + 0.4 * deep, -0.2),
                (0, top + deep, -0.2), (-neck * 0.8, top + 0.4 * deep, -0.2),
                (-neck * width, top + 0.08, -0.2)]  # fmt: skip
        canvas.fill(skin, scaled(face.skin, 0.92, 0.88, 0.86), body=True)
    else:
        edge = [(neck * 1.25, top - 0.02, -0.2), (neck * 1.45, top + 0.22, -0.2),
                (0, top + 0.36, -0.2), (-neck * 1.45, top + 0.22, -0.2),
                (-neck * 1.25, top - 0.02, -0.2)]  # fmt: skip
        canvas.fill(edge, scaled(cloth, 0.8), solid=True, body=True)


def draw_neck(canvas: Canvas, face: Face) -> None:
    """The neck and the shadow that the chin throws on it; over the hair behind."""
    neck, top = _neck_width(face), face.chin_y + 0.2
    right = [(neck, 0.3, -0.2), (neck * 0.97, top - 0.05, -0.2), (neck * 1.12, top + 0.08, -0.2),
             (neck * 0.5, top + 0.16, -0.2)]  # fmt: skip
    left = [(-x, y, z) for x, y, z in reversed(right)]
    canvas.fill([*right, *left], scaled(face.skin, 0.9, 0.85, 0.83), solid=True, body=True)
    shadow = [(neck, 0.3, -0.2), (neck * 0.97, top - 0.06, -0.2), (0, top + 0.1, -0.2),
              (-neck * 0.97, top - 0.06, -0.2), (-neck, 0.3, -0.2)]  # fmt: skip
    canvas.fill(shadow, face.shade, 0.7, body=True)


def draw_ears(canvas: Canvas, face: Face) -> None:
    """Both ears; the head, drawn later, hides what lies behind it."""
    size = face.person.ears * (1 + 0.12 * face.old)
    edge = face.edge * 0.97
    for side in SIDES:
        centre = np.array([side * (edge + 0.02), 0.13 + 0.1 * face.child, -0.12])
        shape = np.array(
            [(-0.06, -0.2), (0.07, -0.21), (0.13, -0.08), (0.09, 0.08), (0.02, 0.2), (-0.07, 0.14)]
        )
        ear = np.concatenate([shape * (side, 1), np.zeros((6, 1))], axis=1) * size
        canvas.fill(centre + ear, face.skin, smooth=True, solid=True)
        canvas.fill(centre + ear * 0.6, face.shade, 0.6, smooth=True)


def draw_earrings(canvas: Canvas, face: Face) -> None:
    """A small golden ring under each ear."""
    for side in SIDES:
        place = (side * face.edge, 0.13 + 0.1 * face.child + 0.26, -0.12)
        canvas.dot(place, 0.05, (226, 186, 90))


def draw_skull(canvas: Canvas, face: Face) -> None:
    """The head itself with its soft shadows and red cheeks."""
    person = face.person
    canvas.fill(face.outline(), face.skin, smooth=True, solid=True)
    # Chin and jaw are a little darker below, the sockets a little darker around the eyes.
    blush = mix(face.skin, (225, 96, 90), 0.45)
    strength = 0.18 + 0.12 * face.child + 0.22 * max(face.action.cheeks, 0) + 0.08 * person.female
    for side in SIDES:
        cheek = _oval(side * 0.43 * face.half_width / 0.75, face.nose_y + 0.06, 0.19, 0.13)
        canvas.fill(face.on(cheek), blush, strength, smooth=True)
        socket = _oval(side * face.eye_x, face.eye_y - 0.03, face.eye_size * 1.35, 0.16)
        canvas.fill(face.on(socket), face.shade, 0.2 + 0.12 * face.old, smooth=True)
    if person.freckles:
        for number in range(14):
            # A fixed sprinkle: spread evenly, the same in every picture.
            x = 0.42 * (2 * (number * 0.618034 % 1) - 1)
            y = face.nose_y - 0.1 + 0.2 * (number * 0.324718 % 1)
            canvas.dot(face.on([(x, y)])[0], 0.016, face.line, 0.5)
    if person.mole is not None:
        x, y = person.mole
        canvas.dot(face.on([(x, y * face.chin_y)])[0], 0.026, scaled(face.line, 0.6))


def draw_lines(canvas: Canvas, face: Face) -> None:
    """What age and expression fold: forehead, frown, crow's feet, bags, cheeks, chin."""
    old, action = face.old, face.action
    brow = face.eye_y - face.person.brow_gap
    raised = max(action.brow_inner + action.brow_outer, 0) * (1 - 0.7 * face.child)
    for number, y in enumerate((brow - 0.17, brow - 0.27, brow - 0.36)):
        reach = 0.36 - 0.05 * number
        line = [(-reach, y + 0.015), (-reach / 2, y - 0.01), (0, y + 0.01),
                (reach / 2, y - 0.01), (reach, y + 0.015)]  # fmt: skip
        _fold(canvas, face, line, 0.032, min(0.75 * old + 1.4 * raised, 0.8) - 0.06 * number)
    for side in SIDES:
        _draw_eye_lines(canvas, face, side, brow)
        _draw_cheek_lines(canvas, face, side)
    chin = face.chin_y + 0.45 * action.jaw
    pout = 0.35 * max(action.pout, 0)
    line = [(-0.1, chin - 0.2), (0, chin - 0.225), (0.1, chin - 0.2)]
    canvas.stroke(face.on(line), face.shade, 0.04, 0.35 + pout)


def _draw_eye_lines(canvas: Canvas, face: Face, side: int, brow: float) -> None:
    """The frown beside the nose's root, crow's feet and the bag under the eye."""
    old, action, half = face.old, face.action, face.eye_size
    frown = max(-4 * action.brow_inner, 0) + 2 * max(action.brow_squeeze, 0)
    line = [(side * 0.055, brow - 0.07), (side * 0.05, brow + 0.09)]
    _fold(canvas, face, line, 0.03, min(0.6 * old + frown, 0.85))
    corner = side * (face.eye_x + 1.08 * half)
    for slope in (-0.09, 0.0, 0.09):
        line = [
            (corner, face.eye_y + 0.4 * slope),
            (corner + side * 0.12, face.eye_y + 1.3 * slope),
        ]
        _fold(canvas, face, line, 0.026, min(0.85 * old - 0.1 + 0.2 * action.cheeks, 0.75))
    line = [(side * (face.eye_x + t * half), face.eye_y + 0.125 + 0.05 * (1 - t * t))
            for t in (-0.9, 0, 0.9)]  # fmt: skip
    _fold(canvas, face, line, 0.034, 0.1 + 0.65 * old + 0.15 * max(action.lower_lid, 0))


def _draw_cheek_lines(canvas: Canvas, face: Face, side: int) -> None:
    """From the nose past the mouth, from the mouth to the chin, and the hollow of the cheek."""
    old, action = face.old, face.action
    mouth = face.person.mouth_width * (1 + action.stretch) + 0.09
    line = [(side * (face.person.nose_width + 0.04), face.nose_y - 0.02),
            (side * (mouth * 0.85), (face.nose_y + face.mouth_y) / 2 + 0.02),
            (side * (mouth + 0.02), face.mouth_y + 0.04)]  # fmt: skip
    moved = 0.4 * max(action.cheeks, 0) + 0.35 * max(action.nose, 0)
    _fold(canvas, face, line, 0.036, min(0.8 * old + moved, 0.85) * (1 - 0.5 * face.child))
    line = [(side * mouth * 0.93, face.mouth_y + 0.09), (side * mouth, face.mouth_y + 0.24)]
    _fold(canvas, face, line, 0.03, 0.8 * old - 0.2)
    line = [(side * face.half_width * 0.82, face.nose_y - 0.08),
            (side * face.half_width * 0.62, face.mouth_y - 0.02),
            (side * face.half_width * 0.6, face.mouth_y + 0.16)]  # fmt: skip
    _fold(canvas, face, line, 0.07, 0.3 * old - 0.06)


def _fold(
    canvas: Canvas, face: Face, line: list[tuple[float, float]], width: float, depth: float
) -> None:
    """A fold in the skin, 0 (none) to 1 deep."""
    if depth > 0.02:
        canvas.stroke(face.on(line), face.line, width, depth)


def _oval(x: float, y: float, across: float, down: float) -> list[tuple[float, float]]:
    return [
        (x + across * np.cos(angle), y + down * np.sin(angle))
        for angle in np.linspace(0, 2 * np.pi, 8, endpoint=False)
    ]
