"""The seven expressions as movements of brows, lids, nose and mouth.

After the action units of Ekman & Friesen's facial action coding system (1978): for instance
happiness is a cheek raiser (6) and a lip corner puller (12).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np


@dataclass(frozen=True)
class Action:
    """How far a face has moved from rest; lengths in half head heights, the rest as shares.

    Attributes:
        brow_inner, brow_outer: up, of the ends of the brows.
        brow_squeeze: towards each other.
        upper_lid: share by which the eye opens wider, negative where it closes.
        lower_lid: share by which it is raised.
        corner: corners of the mouth up.
        stretch: share by which the mouth widens.
        jaw: the gap between the lips.
        upper_lip: the upper lip up.
        press: lips thinned, 0 to 1.
        roundness: of the opening, 0 to 1.
        teeth: height of the teeth that show.
        nose: wrinkled, 0 to 1.
        cheeks: raised, 0 to 1.
        pout: the lower lip forward and up.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_squeeze: float = 0.0
    upper_lid: float = 0.0
    lower_lid: float = 0.0
    corner: float = 0.0
    stretch: float = 0.0
    jaw: float = 0.0
    upper_lip: float = 0.0
    press: float = 0.0
    roundness: float = 0.0
    teeth: float = 0.0
    nose: float = 0.0
    cheeks: float = 0.0
    pout: float = 0.0


# Some have two faces: a smile may show teeth, anger may press the lips or bare the teeth.
_ACTIONS: dict[str, tuple[Action, ...]] = {
    "anger": (
        Action(brow_inner=-0.15, brow_outer=0.06, brow_squeeze=0.07, upper_lid=-0.08,
               lower_lid=0.2, corner=-0.08, press=0.65, stretch=-0.05, nose=0.3),
        Action(brow_inner=-0.13, brow_outer=0.06, brow_squeeze=0.07, upper_lid=0.05,
               lower_lid=0.2, corner=-0.05, stretch=0.1, jaw=0.12, teeth=0.12, nose=0.5,
               press=0.5),
    ),
    "disgust": (
        Action(brow_inner=-0.07, brow_outer=-0.03, brow_squeeze=0.04, upper_lid=-0.35,
               lower_lid=0.45, corner=-0.09, upper_lip=0.08, nose=1, cheeks=0.5, jaw=0.03,
               teeth=0.05, pout=0.3),
    ),
    "fear": (
        Action(brow_inner=0.15, brow_outer=0.02, brow_squeeze=0.05, upper_lid=0.5,
               lower_lid=-0.1, corner=-0.07, stretch=0.22, jaw=0.13, teeth=0.05),
    ),
    "happy": (
        Action(upper_lid=-0.15, lower_lid=0.4, corner=0.19, stretch=0.28, jaw=0.15, teeth=0.13,
               cheeks=1, brow_outer=0.03),
        Action(upper_lid=-0.2, lower_lid=0.45, corner=0.21, stretch=0.28, cheeks=1,
               brow_outer=0.03),
    ),
    "neutral": (Action(),),
    "sad": (
        Action(brow_inner=0.15, brow_outer=-0.08, brow_squeeze=0.04, upper_lid=-0.35,
               corner=-0.14, pout=1, stretch=-0.05),
    ),
    "surprise": (
        Action(brow_inner=0.15, brow_outer=0.15, upper_lid=0.45, lower_lid=-0.1, jaw=0.25,
               stretch=-0.35, roundness=1),
    ),
}  # fmt: skip

EXPRESSIONS = tuple(_ACTIONS)


def act(expression: str, stream: np.random.Generator) -> Action:
    """One picture's movements: the expression at 85 to 115 % and a little of anything else."""
    variants = _ACTIONS[expression]
    chosen = variants[int(stream.integers(len(variants)))]
    strength = stream.uniform(0.85, 1.15)
    noise = dict(zip(_NOISE, stream.standard_normal(len(_NOISE)), strict=True))
    values = {
        field.name: strength * getattr(chosen, field.name)
        + _NOISE.get(field.name, 0.0) * noise.get(field.name, 0.0)
        for field in fields(Action)
    }
    return Action(**values)


# Standard deviations of what moves in any face at rest.
_NOISE = {
    "brow_inner": 0.012,
    "brow_outer": 0.012,
    "upper_lid": 0.06,
    "lower_lid": 0.04,
    "corner": 0.012,
    "stretch": 0.03,
}
