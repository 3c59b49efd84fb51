"""Eyes, brows, nose, mouth and glasses."""

from __future__ import annotations

import numpy as np

from paenet.datasets.synthetic.canvas import Canvas, Points
from paenet.datasets.synthetic.face import Face
from paenet.datasets.synthetic.head import SIDES
from paenet.datasets.synthetic.person import mix, scaled

_ACROSS = np.linspace(-1, 1, 13)
_CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 16, endpoint=False)])
_WHITE = (246, 243, 238)
_LASH = (38, 26, 24)


def draw_eyes(canvas: Canvas, face: Face, gaze: tuple[float, float]) -> None:
    """Both eyes; `gaze` is where they look, from -1 to 1 in x and y."""
    person, action = face.person, face.action
    half = face.eye_size
    lid = 0.53 * half * (1 + action.upper_lid) * (1 + 0.12 * face.child - 0.2 * face.old)
    lower = 0.4 * half * (1 - action.lower_lid)
    open_, bulge = max(lid, 0.012), max(lower, 0.012)
    for side in SIDES:
        x = side * face.eye_x + _ACROSS * half
        # The outer corner is a little higher than the inner one, and sinks with age.
        tilt = -(person.eye_slant - 0.02 * face.old) * side * _ACROSS
        upper = face.eye_y + tilt - open_ * (1 - np.abs(_ACROSS) ** 2.3)
        under = face.eye_y + tilt + bulge * (1 - _ACROSS**2)
        canvas.fill(_band(face, x, upper, under), _WHITE)
        _draw_iris(canvas, face, side, gaze, x, upper, under)
        # The lid's shadow on the eye, the lashes, the fold above and the rim below.
        weight = 0.04 + (0.028 * face.grown if person.female else 0)
        lash = np.stack([x, upper], axis=1)
        if person.female:
            lash[0 if side < 0 else -1] += np.array((side * 0.05, -0.035)) * face.grown
        canvas.stroke(face.on(lash), _LASH, weight, 0.95, taper=(0.35, 0.35), smooth=False)
        fold = np.stack([x, upper - 0.05 - 0.015 * face.old], axis=1)[1:-1:2]
        canvas.stroke(face.on(fold), face.line, 0.026, 0.55 + 0.2 * face.old)
        canvas.stroke(face.on(np.stack([x, under], axis=1)[1:-1:2]), face.line, 0.024, 0.6)


def _draw_iris(
    canvas: Canvas,
    face: Face,
    side: int,
    gaze: tuple[float, float],
    x: Points,
    upper: Points,
    under: Points,
) -> None:
    """Iris, pupil and a glint, cut off by the lids."""
    centre = np.array([side * face.eye_x + 0.3 * gaze[0] * face.eye_size,
                       face.eye_y - 0.01 + 0.03 * gaze[1]])  # fmt: skip
    radius = 0.52 * face.eye_size
    for share, colour in ((1.0, face.person.eyes), (0.5, (16, 12, 12))):
        disc = centre + share * radius * _CIRCLE
        top, bottom = (np.interp(disc[:, 0], x, edge) for edge in (upper, under))
        disc[:, 1] = np.minimum(np.maximum(disc[:, 1], top), np.maximum(top, bottom))
        canvas.fill(face.on(disc), colour)
    glint = centre - np.array((0.3, 0.35)) * radius
    if np.interp(glint[0], x, upper) < glint[1]:
        canvas.dot(face.on([glint])[0], 0.2 * radius, (255, 255, 255))


def draw_brows(canvas: Canvas, face: Face) -> None:
    """Both eyebrows: their ends move on their own."""
    person, action = face.person, face.action
    dark = mix(face.person.hair_at(face.age - 8), (20, 14, 12), 0.3)
    # Very fair brows would vanish: skin is mixed in for children only.
    colour = mix(dark, face.skin, 0.35 * face.child)
    width = 0.06 * person.brow_weight * (1 - 0.35 * face.child + 0.15 * face.old)
    level = face.eye_y - person.brow_gap - 0.02 * face.child + 0.03 * face.old
    for side in SIDES:
        inner = face.eye_x - 0.19 - action.brow_squeeze
        outer = face.eye_x + 0.21
        peak = face.eye_x + 0.06
        middle = 0.55 * action.brow_outer + 0.45 * action.brow_inner
        curve = [
            (side * inner, level - action.brow_inner),
            (side * (inner + peak) / 2, level - middle - 0.7 * person.brow_arch),
            (side * peak, level - 0.2 * middle - 0.8 * action.brow_outer - person.brow_arch),
            (side * outer, level - action.brow_outer + 0.045),
        ]
        canvas.stroke(face.on(curve, 0.02), colour, width, 0.95, taper=(0.75, 0.2))


def draw_nose(canvas: Canvas, face: Face, light: float) -> None:
    """Bridge, tip and wings; `light` is where it comes from, -1 left to 1 right."""
    person, action = face.person, face.action
    tip = face.nose_y - 0.03 * max(action.nose, 0)
    wide = (
        person.nose_width
        * (1 - 0.22 * face.child + 0.12 * face.old)
        * (1 + 0.15 * max(action.nose, 0) + 0.1 * max(action.cheeks, 0))
    )
    lift = 0.2 - 0.09 * face.child
    dark = -1.0 if light > 0 else 1.0
    top = face.eye_y - 0.02
    flank = np.array([
        [dark * 0.06, top, 0.03], [dark * 0.045, (top + tip) / 2, lift * 0.7],
        [dark * 0.05, tip - 0.02, lift], [dark * wide, tip + 0.05, 0.06],
        [dark * 0.12, (top + tip) / 2 + 0.04, 0.0], [dark * 0.11, top + 0.04, 0.0],
    ])  # fmt: skip
    canvas.fill(_raised(face, flank), face.shade, 0.4 + 0.25 * abs(light) - 0.2 * face.child)
    bulb = _CIRCLE[::2] * (wide * 0.62, 0.07) + (0, tip - 0.01)
    canvas.fill(face.on(bulb, lift), mix(face.skin, (255, 235, 220), 0.25), 0.55, smooth=True)
    base = np.array([
        [-wide, tip + 0.0, 0.06], [-wide * 0.95, tip + 0.065, 0.06],
        [-wide * 0.4, tip + 0.06, lift * 0.7], [0, tip + 0.085, lift * 0.8],
        [wide * 0.4, tip + 0.06, lift * 0.7], [wide * 0.95, tip + 0.065, 0.06],
        [wide, tip + 0.0, 0.06],
    ])  # fmt: skip
    canvas.stroke(_raised(face, base), face.line, 0.032, 0.7, taper=(0.4, 0.4))
    for side in SIDES:
        nostril = _raised(face, np.array([[side * wide * 0.5, tip + 0.058, lift * 0.6]]))[0]
        canvas.dot(nostril, 0.024, scaled(face.line, 0.6), 0.8)
        if action.nose > 0.2:
            for step in (0.0, 0.07):
                crease = [(side * 0.02, top + 0.06 + step), (side * 0.1, top + 0.02 + step)]
                canvas.stroke(face.on(crease, 0.08), face.line, 0.026, 0.7 * action.nose)


def draw_mouth(canvas: Canvas, face: Face) -> None:
    """Lips and what is between them."""
    person, action = face.person, face.action
    t = _ACROSS
    half = person.mouth_width * (1 + action.stretch) * (1 - 0.2 * face.child)
    bow = 1 - t**2
    # A round mouth opens to its corners.
    profile = (1 - action.roundness) * bow + action.roundness * np.sqrt(np.clip(bow, 0, 1))
    # Corners that rise push the middle down; corners that sink leave it where it is.
    middle = 0.4 if action.corner > 0 else 0.15
    rest = face.mouth_y - action.corner * (t**2 - middle) - 0.02 * max(action.pout, 0)
    gap = max(action.jaw, 0)
    lifted = max(action.upper_lip, 0) * profile * (1 + 0.45 * t)
    inner_top = rest - lifted - 0.2 * gap * profile
    inner_low = np.maximum(inner_top, rest - 0.5 * lifted + 0.8 * gap * profile)
    thin = (1 - 0.75 * max(action.press, 0)) * (1 - 0.4 * min(face.old, 1))
    full = 0.07 * person.lip_fullness * thin * (1 - 0.1 * face.child)
    cupid = 1 - 0.35 * np.exp(-((t / 0.22) ** 2))
    top = inner_top - full * 0.9 * (1 - np.abs(t) ** 1.6) * cupid
    low = inner_low + full * (1.2 + 0.5 * max(action.pout, 0)) * (1 - np.abs(t) ** 2.2)
    x = half * t

    tint = mix(person.lips, face.skin, 0.3 * face.child + 0.3 * min(face.old, 1))
    canvas.fill(_band(face, x, top, low), tint)
    canvas.fill(_band(face, x, inner_top, top), scaled(tint, 0.9))
    # Light on the lower lip, its shadow below.
    shine = np.stack([x, (inner_low + 2 * low) / 3], axis=1)[4:9]
    canvas.stroke(face.on(shine, 0.03), mix(tint, (255, 235, 230), 0.5), 0.03, 0.5)
    if gap > 0.02:
        canvas.fill(_band(face, x, inner_top, inner_low), (74, 22, 26))
        if gap > 0.08:
            tongue = np.maximum(inner_low - 0.45 * gap * profile, inner_top)
            canvas.fill(_band(face, x, tongue, inner_low), (186, 82, 84))
        if action.teeth > 0.01 and face.age > 1.2:
            edge = np.minimum(inner_top + action.teeth * profile**0.5, inner_low)
            canvas.fill(_band(face, x, inner_top, edge)[1:-1], _WHITE)
    else:
        dark = scaled(tint, 0.45)
        canvas.stroke(face.on(np.stack([x, rest - lifted], axis=1)), dark, 0.036, 0.95,
                      taper=(0.5, 0.5), smooth=False)  # fmt: skip


def draw_glasses(canvas: Canvas, face: Face) -> None:
    """Two rims, the bridge and the arms."""
    colour = face.person.frames
    reach, tall = face.eye_size * 1.45, face.eye_size * 1.15
    level, lift = face.eye_y + 0.03, 0.14
    corners = np.array([(-1, -0.7), (-0.6, -1), (0.6, -1), (1, -0.7), (0.92, 0.5), (0.45, 1),
                        (-0.45, 1), (-0.92, 0.5)]) * (reach, tall)  # fmt: skip
    for side in SIDES:
        centre = np.array([side * face.eye_x, level])
        rim = _flat(corners * (side, 1) + centre, lift + 0.62)
        canvas.fill(rim, (225, 235, 245), 0.12, smooth=True)
        canvas.loop(rim, colour, 0.04)
        outer = side * (face.eye_x + reach)
        arm = [(outer, level - 0.08, lift + 0.62), (side * face.edge, level - 0.08, 0.0)]
        canvas.stroke(arm, colour, 0.04, taper=(1, 1), smooth=False)
    gap = face.eye_x - reach
    bridge = _flat(
        np.array([(-gap, level - 0.06), (0, level - 0.1), (gap, level - 0.06)]), lift + 0.66
    )
    canvas.stroke(bridge, colour, 0.04, taper=(1, 1))


def _band(face: Face, x: Points, top: Points, bottom: Points) -> Points:
    """The skin between two lines over the same x."""
    edge = np.concatenate([np.stack([x, top], axis=1), np.stack([x, bottom], axis=1)[::-1]])
    return face.on(edge, 0.02)


def _raised(face: Face, points: Points) -> Points:
    """`(n, 3)` points whose third number is how far they stand off the skin."""
    placed = face.on(points[:, :2])
    placed[:, 2] += points[:, 2]
    return placed


def _flat(points: Points, depth: float) -> Points:
    return np.concatenate([points, np.full((len(points), 1), depth)], axis=1)
