"""A face at one age, in one moment: where everything is, from person, years and expression."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from paenet.datasets.synthetic.canvas import Points
from paenet.datasets.synthetic.expression import Action
from paenet.datasets.synthetic.person import Colour, Person, scaled

# The right half of the head's outline from crown to chin: y, and x as a share of the half width.
_OUTLINE_Y = np.array([-1.0, -0.93, -0.74, -0.42, -0.05, 0.28, 0.58, 0.84, 0.985, 1.0])
_OUTLINE_Z = np.array([-0.1, -0.1, -0.1, -0.08, -0.02, 0.06, 0.18, 0.32, 0.4, 0.4])


@dataclass(frozen=True)
class Face:
    """Proportions that follow from age, and what moved.

    A child's face is short and round, with large low eyes, a small nose and a small chin; it has
    grown at about 18. From 26 on lines appear, lids and jaw sag, lips thin.

    Args:
        person: whose face.
        age: years.
        action: the expression.
        yaw: radians by which the head will be turned. Its outline is that of an ellipsoid, which
            does not narrow in a turn.
    """

    person: Person
    age: float
    action: Action
    yaw: float = 0.0

    @cached_property
    def child(self) -> float:
        """1 for a newborn, 0 for a grown-up."""
        return _share((18 - self.age) / 17) ** 1.1

    @cached_property
    def grown(self) -> float:
        """0 before puberty, 1 for a grown-up."""
        return _share((self.age - 11) / 8)

    @cached_property
    def old(self) -> float:
        """0 up to 26, about 1 at 85: how much age shows."""
        return 1.1 * _share((self.age - 26) / 62) * self.person.lined

    @cached_property
    def half_width(self) -> float:
        adult = self.person.width
        return (
            adult + self.child * (0.84 - adult) * 0.9 - 0.04 * (1 - self.child) * (1 - self.grown)
        )

    @cached_property
    def edge(self) -> float:
        """Half the width of the outline, before it is turned."""
        return self.half_width / math.cos(self.yaw)

    @cached_property
    def chin_y(self) -> float:
        """Where the chin is with the mouth shut."""
        return 1.0 - 0.17 * self.child

    @cached_property
    def eye_y(self) -> float:
        return self.person.eye_height + 0.2 * self.child

    @cached_property
    def eye_x(self) -> float:
        return self.person.eye_gap + 0.02 * self.child

    @cached_property
    def eye_size(self) -> float:
        """Half the width of an eye."""
        return 0.178 * self.person.eye_size * (1 + 0.3 * self.child)

    @cached_property
    def mouth_y(self) -> float:
        return self.person.mouth_height - 0.03 * self.child

    @cached_property
    def nose_y(self) -> float:
        """Where the tip of the nose is."""
        length = self.person.nose_length * (1 - 0.42 * self.child + 0.1 * self.old)
        return self.eye_y + length

    @cached_property
    def skin(self) -> Colour:
        """Rosier in a child, duller in the old."""
        child, old = 0.03 * self.child, 0.05 * min(self.old, 1)
        return scaled(self.person.skin, 1 + child - 0.6 * old, 1 - old, 1 - old)

    @cached_property
    def shade(self) -> Colour:
        """Skin in shadow."""
        return scaled(self.skin, 0.78, 0.7, 0.66)

    @cached_property
    def line(self) -> Colour:
        """A fold in the skin."""
        return scaled(self.skin, 0.56, 0.47, 0.43)

    def outline(self, margin: float = 0.0, *, below: float = 1.1) -> Points:
        """The head's edge from the crown down the right side, mirrored up the left.

        Args:
            margin: how far outside it.
            below: points whose y is larger are left out.

        Returns:
            `(n, 3)`; closed where nothing is left out.
        """
        person, child = self.person, self.child
        jaw = (
            person.jaw
            + (0.9 - person.jaw) * child
            + 0.05 * self.old
            - 0.04 * (1 - self.grown) * (1 - child) * (not person.female)
        )
        chin = person.chin + 0.08 * child
        cheek = person.cheek * (1 + 0.03 * child)
        shares = np.array(
            [0.0, 0.42, 0.78, 0.97, 1.0, 0.97 * cheek, jaw, (chin + jaw * 0.62) / 1.55,
             chin * 0.48, 0.0]
        )  # fmt: skip
        x = shares * self.edge * (1 + margin)
        y = np.where(_OUTLINE_Y > 0, _OUTLINE_Y * self.chin_y, _OUTLINE_Y) * (1 + margin)
        # The jaw takes the lower face along as the mouth opens.
        y = y + np.clip((y - 0.35) / 0.6, 0, 1) * 0.55 * self.action.jaw
        half = np.stack([x, y, _OUTLINE_Z], axis=1)[y <= below]
        mirrored = half[::-1] * (-1, 1, 1)
        return np.concatenate([half, mirrored[(x[y <= below] > 0)[::-1]]])

    def on(self, points: ArrayLike, lift: float = 0.0) -> Points:
        """Puts `(n, 2)` points on the skin: `(n, 3)`, `lift` before it."""
        flat = np.asarray(points, dtype=np.float64)
        x, y = flat[:, 0] / (1.1 * self.half_width), flat[:, 1] / 1.2
        depth = 0.66 * np.sqrt(np.maximum(1 - x * x - y * y, 0.03))
        return np.concatenate([flat, (depth + lift)[:, None]], axis=1)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
