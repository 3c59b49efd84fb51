"""Who is drawn: the parameters that stay with a person from picture to picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Colour = tuple[int, int, int]

GENDERS = ("female", "male")

# From the palest to the darkest; a person's tone lies between two of them.
SKINS = np.array(
    [
        (250, 218, 196),
        (238, 192, 160),
        (222, 168, 130),
        (190, 132, 94),
        (146, 97, 66),
        (102, 66, 48),
    ]
)
_HAIRS = {
    "black": (34, 28, 30),
    "dark": (62, 42, 32),
    "brown": (104, 68, 44),
    "chestnut": (134, 76, 42),
    "red": (176, 84, 38),
    "blond": (212, 172, 104),
}
_EYES = ((74, 46, 30), (104, 70, 40), (84, 110, 70), (80, 124, 160), (110, 124, 134))
_GREY = np.array((205, 205, 208))

# Cumulative shares of people by age: all eight Adience groups are well filled.
_AGES = (1, 3, 8, 15, 25, 36, 47, 59, 92)
_AGE_SHARES = (0.0, 0.08, 0.19, 0.31, 0.46, 0.62, 0.75, 0.87, 1.0)

WOMENS_HAIR = ("long", "wavy", "bob", "fringe", "bun", "tail", "pixie", "curls")
MENS_HAIR = ("short", "side", "crew", "spiky", "quiff", "curls", "mop")
GIRLS_HAIR = ("long", "bob", "fringe", "pigtails", "tail", "curls")


@dataclass(frozen=True)
class Person:
    """A person. Lengths are in half head heights, factors are about 1.

    Attributes:
        gender: "female" or "male".
        age: years in the middle of the time over which pictures were taken.
        skin, hair, eyes, lips, frames: colours; `hair` before it greys.
        width, cheek, jaw, chin: of the head.
        eye_gap, eye_size, eye_slant, eye_height: of the eyes.
        brow_weight, brow_arch, brow_gap: of the eyebrows.
        nose_length, nose_width: of the nose.
        mouth_width, lip_fullness, mouth_height: of the mouth.
        ears: size of the ears.
        style, volume, parting, hairline: of the hair; `parting` is -1 to 1.
        grey_from: age at which the hair begins to grey.
        bald_from: age at which it begins to recede; beyond any age for most.
        beard: "none", "stubble", "moustache", "goatee" or "full", once grown up.
        lined: how much age shows in the skin.
        glasses, earrings, freckles: whether they have them.
        mole: place of a mole on the face, or None.
    """

    gender: str
    age: float
    skin: Colour
    hair: Colour
    eyes: Colour
    lips: Colour
    frames: Colour
    width: float
    cheek: float
    jaw: float
    chin: float
    eye_gap: float
    eye_size: float
    eye_slant: float
    eye_height: float
    brow_weight: float
    brow_arch: float
    brow_gap: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip_fullness: float
    mouth_height: float
    ears: float
    style: str
    volume: float
    parting: float
    hairline: float
    grey_from: float
    bald_from: float
    beard: str
    lined: float
    glasses: bool
    earrings: bool
    freckles: bool
    mole: tuple[float, float] | None

    @property
    def female(self) -> bool:
        return self.gender == "female"

    def hair_at(self, age: float) -> Colour:
        """The colour of the hair at an age: it greys over about 25 years."""
        share = float(np.clip((age - self.grey_from) / 25, 0, 1))
        return mix(self.hair, tuple(_GREY), share)


def mix(one: Colour, other: tuple[float, ...], share: float) -> Colour:
    """A colour between two; `share` of the second, 0 to 1."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def scaled(colour: Colour, *factors: float) -> Colour:
    """A colour made darker or lighter: one factor for all channels, or one for each."""
    each = factors if len(factors) == 3 else factors * 3
    red, green, blue = (
        min(255, round(value * factor)) for value, factor in zip(colour, each, strict=True)
    )
    return red, green, blue


def draw_person(number: int, stream: np.random.Generator) -> Person:
    """A person who is drawn from a population.

    Args:
        number: of the person within the split: genders alternate, and ages are spread evenly by
            the golden ratio, so that few people already cover all of them.
        stream: gives everything else.
    """
    gender = GENDERS[number % 2]
    female = gender == "female"
    share = (number * 0.6180339887 + 0.1 * stream.random()) % 1
    age = float(np.interp(share, _AGE_SHARES, _AGES))

    def vary(centre: float, spread: float) -> float:
        """Normal, but no one is more than 1.8 standard deviations from the middle."""
        return centre + spread * float(np.clip(stream.standard_normal(), -1.8, 1.8))

    tone = stream.random() ** 1.2 * (len(SKINS) - 1)
    low = min(int(tone), len(SKINS) - 2)
    pale = tuple(int(value) for value in SKINS[low])
    warmth = vary(0, 0.012)
    skin = scaled(
        mix((pale[0], pale[1], pale[2]), tuple(SKINS[low + 1]), tone - low),
        *(1 + warmth, 1.0, 1 - 2 * warmth),
    )
    dark = tone / (len(SKINS) - 1)
    hairs = (
        ("black", "dark")
        if dark > 0.6
        else ("black", "dark", "brown", "brown", "chestnut", "blond", "blond", "red")
    )
    hair = scaled(_HAIRS[str(stream.choice(hairs))], vary(1, 0.1))
    eyes = _EYES[int(stream.integers(2 if dark > 0.5 else len(_EYES)))]
    styles = (
        (GIRLS_HAIR if female else MENS_HAIR)
        if age < 14
        else (WOMENS_HAIR if female else MENS_HAIR)
    )
    lips = mix(scaled(skin, 0.9, 0.68, 0.66), (196, 50, 70), 0.4 if female and age > 16 else 0.06)
    beards = ("none", "none", "stubble", "stubble", "moustache", "goatee", "full", "full")
    return Person(
        gender=gender,
        age=age,
        skin=skin,
        hair=hair,
        eyes=eyes,
        lips=lips,
        frames=((30, 30, 34), (110, 60, 34), (150, 40, 50), (60, 80, 120))[stream.integers(4)],
        width=vary(0.755 if female else 0.785, 0.035),
        cheek=vary(1, 0.035),
        jaw=vary(0.73 if female else 0.85, 0.045),
        chin=vary(0.34 if female else 0.45, 0.045),
        eye_gap=vary(0.345, 0.022),
        eye_size=vary(1.06 if female else 0.94, 0.07),
        eye_slant=vary(0.015, 0.018),
        eye_height=vary(0.03, 0.03),
        brow_weight=vary(0.75 if female else 1.25, 0.18),
        brow_arch=vary(0.05 if female else 0.025, 0.015),
        brow_gap=vary(0.23 if female else 0.2, 0.02),
        nose_length=vary(0.33, 0.03),
        nose_width=vary(0.115 if female else 0.135, 0.02),
        mouth_width=vary(0.295, 0.025),
        lip_fullness=vary(1.15 if female else 0.85, 0.16),
        mouth_height=vary(0.645, 0.02),
        ears=vary(1, 0.12),
        style=str(stream.choice(styles)),
        volume=vary(1, 0.35),
        parting=float(stream.choice((-1.0, 1.0)) * stream.uniform(0.3, 1)),
        hairline=vary(-0.63, 0.05),
        grey_from=vary(45, 7),
        bald_from=vary(38, 9) if not female and stream.random() < 0.4 else 200.0,
        beard="none" if female else str(stream.choice(beards)),
        lined=vary(1, 0.12),
        glasses=bool(stream.random() < (0.15 if age < 40 else 0.3)),
        earrings=bool(female and stream.random() < 0.5),
        freckles=bool(dark < 0.35 and stream.random() < 0.15),
        mole=None
        if stream.random() < 0.8
        else (float(stream.choice((-1, 1)) * stream.uniform(0.2, 0.5)), stream.uniform(0.3, 0.8)),
    )
