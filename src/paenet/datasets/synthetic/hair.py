"""Hair and beard. A style is data: how far it stands off, how long it is, where it ends."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from paenet.datasets.synthetic.canvas import Canvas, Points, open_curve
from paenet.datasets.synthetic.face import Face
from paenet.datasets.synthetic.head import SIDES
from paenet.datasets.synthetic.person import Colour, mix, scaled


@dataclass(frozen=True)
class Style:
    """One way to wear hair; lengths in half head heights.

    Attributes:
        volume: how far it stands off the head.
        sides: y down to which it covers the sides of the face.
        locks: how far it covers the face from the side, as a share of the half width.
        back: y down to which it hangs behind, None where it does not.
        spread: width at its end, as a share of the half width.
        front: hairline: "up", "parted", "fringe", "middle" or "spiky".
        curly: whether its edge is bumpy.
        extra: "bun", "tail", "pigtails" or "quiff".
    """

    volume: float
    sides: float
    locks: float = 0.03
    back: float | None = None
    spread: float = 1.1
    front: str = "up"
    curly: bool = False
    extra: str = ""


STYLES = {
    "long": Style(0.1, 0.75, 0.12, 1.7, 1.18, "parted"),
    "wavy": Style(0.16, 0.8, 0.14, 1.55, 1.5, "middle"),
    "bob": Style(0.13, 0.72, 0.15, 0.85, 1.28, "parted"),
    "fringe": Style(0.11, 0.7, 0.13, 1.5, 1.2, "fringe"),
    "bun": Style(0.06, -0.1, -0.03, front="up", extra="bun"),
    "tail": Style(0.07, -0.1, -0.03, front="up", extra="tail"),
    "pigtails": Style(0.07, -0.05, -0.02, front="middle", extra="pigtails"),
    "pixie": Style(0.1, 0.15, 0.06, front="fringe"),
    "curls": Style(0.18, 0.35, 0.08, 0.72, 1.28, "up", True),
    "short": Style(0.07, -0.05, front="up"),
    "side": Style(0.1, -0.02, front="parted"),
    "crew": Style(0.025, -0.12, 0.01, front="up"),
    "spiky": Style(0.1, -0.1, front="spiky"),
    "quiff": Style(0.08, -0.08, front="up", extra="quiff"),
    "mop": Style(0.16, 0.15, 0.06, front="fringe"),
}


def style_of(face: Face) -> Style:
    """The style at this age: babies have little hair, men wear curls short."""
    style = STYLES[face.person.style]
    if face.age < 2.5:
        return Style(0.02, -0.25, 0.0, front="up")
    if not face.person.female and style.curly:
        style = replace(style, sides=0.0, locks=0.03, back=None, volume=0.13)
    # Long hair needs years to grow.
    if style.back is not None and face.age < 6:
        style = replace(style, back=min(style.back, 0.8), sides=min(style.sides, 0.4))
    return replace(style, volume=style.volume * max(0.5, 1 + 0.3 * (face.person.volume - 1)))


def draw_back_hair(canvas: Canvas, face: Face, style: Style) -> None:
    """What is seen behind head and neck; drawn before them."""
    colour = scaled(face.person.hair_at(face.age), 0.78)
    half, depth = face.edge, -0.25
    if style.extra == "bun":
        bun = [(0.34 * np.cos(a), -1.13 + 0.27 * np.sin(a), depth) for a in _TURN]
        canvas.fill(bun, colour, smooth=True, solid=True)
    if style.extra == "tail":
        side = np.sign(face.person.parting)
        tail = [(side * x, y, -0.5) for x, y in ((0.2, -0.75), (0.75, -0.6), (1.12, -0.1),
                (1.14, 0.6), (0.98, 1.2), (0.82, 0.7), (0.8, 0.1))]  # fmt: skip
        canvas.fill(tail, colour, smooth=True, solid=True)
    if style.extra == "pigtails":
        for side in SIDES:
            tail = [(side * x, y, -0.15) for x, y in ((half, -0.35), (half + 0.25, -0.45),
                    (half + 0.42, 0.0), (half + 0.36, 0.6), (half + 0.22, 0.85),
                    (half + 0.12, 0.4), (half, -0.05))]  # fmt: skip
            canvas.fill(tail, face.person.hair_at(face.age), smooth=True, solid=True)
    if style.back is None:
        return
    wide = half * style.spread
    right = [(half * 1.06, -0.3, depth), (half * 1.08 + 0.4 * (wide - half), 0.25, depth),
             (wide, (0.6 + style.back) / 2, depth), (wide * 0.92, style.back, depth)]  # fmt: skip
    shape = [(0, -0.9, depth), *right, (0, style.back + 0.04, depth),
             *((-x, y, z) for x, y, z in reversed(right))]  # fmt: skip
    canvas.fill(shape, colour, smooth=True, solid=True)
    if style.curly:
        for x, y, z in open_curve(np.array(right), 2):
            for side in SIDES:
                canvas.fill(_disc(side * x * 0.97, y, z, 0.15), colour, solid=True)


def draw_front_hair(canvas: Canvas, face: Face, style: Style) -> None:
    """What covers the skull, down to the hairline; bald men keep the sides."""
    person = face.person
    colour = person.hair_at(face.age)
    receding = float(np.clip((face.age - person.bald_from) / 22, 0, 1))
    if receding > 0.75:
        _draw_ring(canvas, face, colour)
        return
    thin = 0.55 if face.age < 2.5 else 1.0
    outer = _outer(face, style, receding)
    line = _hairline(face, style, receding)
    canvas.fill(np.concatenate([outer, line]), colour, thin, solid=True)
    if style.curly:
        for x, y, z in outer[::2]:
            canvas.fill(_disc(x, y, z, 0.13), colour, solid=True)
    if style.front == "spiky":
        _draw_tufts(canvas, outer[6:-6], colour, (0.0, -0.15))
    if style.front == "fringe":
        _draw_tufts(canvas, line[len(line) // 2 - 8 : len(line) // 2 + 9], colour, (0.03, 0.07))
    if style.extra == "quiff":
        up = person.parting
        tuft = [(-0.56 * up, -0.6, 0.3), (-0.66 * up, -0.85, 0.1), (-0.3 * up, -1.1, 0.1),
                (0.25 * up, -1.2, 0.15), (0.66 * up, -1.08, 0.2), (0.6 * up, -0.72, 0.3),
                (0, -0.68, 0.45)]  # fmt: skip
        canvas.fill(tuft, colour, smooth=True, solid=True)
    if thin == 1:
        _draw_strands(canvas, outer, line, colour)


_TURN = np.linspace(0, 2 * np.pi, 9, endpoint=False)


def _disc(x: float, y: float, z: float, radius: float) -> Points:
    ring = np.stack([np.cos(_TURN), np.sin(_TURN), 0 * _TURN], axis=1)
    return np.asarray(ring * radius + (x, y, z))


def _outer(face: Face, style: Style, receding: float) -> Points:
    """The edge of the hair from the left end over the crown to the right end."""
    edge = face.outline(style.volume * (1 - 0.5 * receding), below=style.sides)
    right = edge[: (len(edge) + 1) // 2].copy()
    # Hair hangs straight down where the jaw goes in.
    right[:, 0] = np.where(right[:, 1] > 0, np.maximum(right[:, 0], face.edge), right[:, 0])
    ends = np.array([(face.edge * (1.01 + 0.6 * style.volume), style.sides, -0.02)])
    right = np.concatenate([right, ends])
    left = right[:0:-1] * (-1, 1, 1)
    return open_curve(np.concatenate([left, right]), 4)


def _hairline(face: Face, style: Style, receding: float) -> Points:
    """The inner edge, from the right end up, across the forehead, down to the left end."""
    person, half = face.person, face.half_width
    x = np.array([0.86, 0.6, 0.3, 0.0, -0.3, -0.6, -0.86])
    high = person.hairline - 0.06 * face.child
    rise = np.array([0.3, 0.09, 0.01, 0.0, 0.01, 0.09, 0.3])
    if style.front == "fringe":
        y = np.full(7, face.eye_y - 0.43) + np.array([0.16, 0.03, -0.01, 0.02, -0.01, 0.03, 0.16])
    elif style.front == "parted":
        swing = np.sign(person.parting) * x
        y = high + rise + 0.2 * np.clip(0.55 - np.abs(swing - 0.45) * 2.2, -0.6, 0.6) * -1
        y = np.minimum(y, face.eye_y - 0.28 + np.abs(x) * 0.25)
    elif style.front == "middle":
        y = high - 0.08 + 0.62 * np.abs(x) ** 1.3
    elif style.front == "spiky":
        y = high + rise + np.array([0, 0.08, -0.03, 0.1, -0.03, 0.08, 0])
    else:
        y = high + rise
    # Temples first, then everything: an M, then the crown.
    y = y - receding * (0.16 + 0.26 * np.exp(-((np.abs(x) - 0.5) ** 2) / 0.05))
    top = face.on(np.stack([x * half, np.clip(y, -0.97, None)], axis=1), 0.03)
    inner = half * (1 - style.locks)
    side = [(inner, style.sides - 0.02, 0.1), (inner * 0.99, (style.sides - 0.3) / 2 - 0.05, 0.14)]
    if style.sides > 0.3:
        # Long locks frame the face and end in a point.
        side = [(face.edge, style.sides, 0.0), (inner, 0.5 * style.sides, 0.12),
                (half * (0.95 - style.locks), -0.02, 0.2)]  # fmt: skip
    ends = np.array(side)
    return open_curve(np.concatenate([ends, top, ends[::-1] * (-1, 1, 1)]), 3)


def _draw_ring(canvas: Canvas, face: Face, colour: Colour) -> None:
    """What is left around the ears."""
    half = face.edge
    for side in SIDES:
        ring = [(side * half * 0.93, -0.5, 0.05), (side * half * 1.07, -0.4, -0.1),
                (side * half * 1.1, -0.1, -0.1), (side * half * 1.02, 0.05, 0.0),
                (side * half * 0.93, -0.06, 0.1), (side * half * 0.9, -0.3, 0.15)]  # fmt: skip
        canvas.fill(ring, colour, smooth=True, solid=True)


def _draw_tufts(canvas: Canvas, edge: Points, colour: Colour, reach: tuple[float, float]) -> None:
    """Points of hair along an edge, `reach` away from it."""
    for place in range(0, len(edge) - 3, 2):
        near, far = edge[place], edge[place + 3]
        tip = (near + far) / 2 + (*reach, 0)
        # Rooted in the hair, so that no skin shows between a tuft and the curve.
        root = 0.6 * np.array((*reach, 0))
        canvas.fill([near - root, near, tip, far, far - root], colour, solid=True)


def _draw_strands(canvas: Canvas, outer: Points, line: Points, colour: Colour) -> None:
    """A few lighter and darker strands from the edge to the hairline."""
    for share, tone in (
        (0.2, 1.3),
        (0.34, 0.7),
        (0.45, 1.35),
        (0.56, 0.72),
        (0.68, 1.3),
        (0.82, 0.7),
    ):
        start = outer[int(share * (len(outer) - 1))]
        end = line[int((1 - share) * (len(line) - 1))]
        middle = (start + end) / 2 * (1.04, 1.0, 1) + (0, 0, 0.1)
        canvas.stroke([start * 0.97, middle, end * 0.99], scaled(colour, tone), 0.04, 0.3)


def draw_beard(canvas: Canvas, face: Face) -> None:
    """Beards of grown men, and the shadow that shaving leaves."""
    person = face.person
    if person.female or face.age < 16:
        return
    kind = person.beard if face.age >= 19 else "none"
    hair = mix(person.hair_at(face.age), (30, 22, 20), 0.15)
    shadow = mix(face.skin, (84, 72, 70), 0.5)
    lower = face.outline(0.01)
    lower = lower[lower[:, 1] > 0.12]
    centre = len(lower) // 2
    mouth = face.mouth_y
    half = person.mouth_width * (1 + face.action.stretch)
    # From the right sideburn along the jaw to the left, then back above the mouth.
    inner = face.on([(-face.half_width * 0.88, 0.12), (-face.half_width * 0.8, mouth - 0.22),
                     (-half - 0.12, mouth - 0.08), (-half * 0.9, mouth - 0.14),
                     (0, mouth - 0.12), (half * 0.9, mouth - 0.14), (half + 0.12, mouth - 0.08),
                     (face.half_width * 0.8, mouth - 0.22),
                     (face.half_width * 0.88, 0.12)])  # fmt: skip
    inner[[0, -1], 2] = lower[[-1, 0], 2] + 0.1
    whole = np.concatenate([open_curve(lower, 3), inner])
    if kind == "full":
        canvas.fill(whole, hair, 0.95, solid=True)
    else:
        strength = 0.5 if kind == "stubble" else 0.14 * face.grown
        canvas.fill(whole, shadow, strength)
    if kind in ("moustache", "goatee", "full"):
        lip = mouth - face.action.upper_lip - 0.2 * face.action.jaw
        bar = face.on([(0, lip - 0.15), (half * 0.5, lip - 0.15), (half * 1.1, lip - 0.01),
                       (half * 0.9, lip + 0.02), (0, lip - 0.05), (-half * 0.9, lip + 0.02),
                       (-half * 1.1, lip - 0.01), (-half * 0.5, lip - 0.15)], 0.05)  # fmt: skip
        canvas.fill(bar, hair, smooth=True)
    if kind == "goatee":
        chin = float(lower[centre, 1])
        tuft = face.on([(half * 0.8, mouth + 0.13), (0.24, chin - 0.12), (0.12, chin - 0.01),
                        (-0.12, chin - 0.01), (-0.24, chin - 0.12), (-half * 0.8, mouth + 0.13),
                        (0, chin - 0.24)], 0.03)  # fmt: skip
        canvas.fill(tuft, hair, 0.95, smooth=True)
