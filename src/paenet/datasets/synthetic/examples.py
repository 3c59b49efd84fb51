"""Synthetic faces as examples, drawn when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import PIL

from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples, Pixels, version_of
from paenet.datasets.synthetic.expression import EXPRESSIONS
from paenet.datasets.synthetic.person import Person, draw_person
from paenet.datasets.synthetic.render import render
from paenet.datasets.table import empty_split

# Raise it when the same seed gives another picture.
VERSION = 1

SPLITS = ("train", "val", "test")
_PEOPLE = {"train": 300, "val": 60, "test": 60}
_YEARS = 3.0


def synthetic_faces(
    split: str | None = None,
    *,
    people: int | None = None,
    per_person: int = 10,
    seed: int = 0,
    size: int = 64,
) -> Examples:
    """Drawn portraits of people who do not exist.

    Every picture is a function of (seed, split, person, picture), whatever the other counts are.
    The splits share no people. The seven expressions are equally frequent, and so are the genders;
    people are 1 to 92 years old, and a person is drawn within about three years of that.

    Args:
        split: "train", "val" or "test"; None for all three.
        people: how many in the split; 300, 60 and 60 unless told.
        per_person: pictures of each.
        seed: of everything.
        size: of the square pictures, in pixels; at least 16.

    Returns:
        Examples with the columns `identity`, `gender` (female, male), `age` (whole years),
        `expression` (anger, disgust, fear, happy, neutral, sad, surprise) and `split`.

    Raises:
        DataError: where the split is none of these, or a number is out of range.
    """
    if split is not None and split not in SPLITS:
        raise empty_split("synthetic faces", split, SPLITS)
    for name, value, least in (
        ("people", 1 if people is None else people, 1),
        ("per_person", per_person, 1),
        ("seed", seed, 0),
        ("size", size, 16),
    ):
        if not isinstance(value, int) or value < least:
            raise DataError(f"synthetic faces: {name} is {value!r}; give a whole number >= {least}")
    shots = tuple(
        _Shot(name, number, picture)
        for name in (SPLITS if split is None else (split,))
        for number in range(_PEOPLE[name] if people is None else people)
        for picture in range(per_person)
    )
    studio = _Studio(seed, size, shots)
    about = [studio.about(shot) for shot in shots]
    return Examples(
        name="synthetic faces",
        paths=tuple(f"{shot.identity}-{shot.picture:03d}" for shot in shots),
        columns={
            "identity": tuple(shot.identity for shot in shots),
            "gender": tuple(person.gender for person, _, _ in about),
            "age": tuple(str(round(age)) for _, age, _ in about),
            "expression": tuple(expression for _, _, expression in about),
            "split": tuple(shot.split for shot in shots),
        },
        read=studio,
        version=version_of(
            # What draws: another Pillow may round a polygon's edge elsewhere.
            ["synthetic", VERSION, PIL.__version__, np.__version__, seed, size],
            [(shot.split, shot.person, shot.picture) for shot in shots],
        ),
    )


def synthetic_splits() -> tuple[str, ...]:
    """The splits that there always are."""
    return SPLITS


@dataclass(frozen=True)
class _Shot:
    split: str
    person: int
    picture: int

    @property
    def identity(self) -> str:
        return f"{self.split}-{self.person:04d}"


@dataclass(frozen=True)
class _Studio:
    """Draws the picture of a row."""

    seed: int
    size: int
    shots: tuple[_Shot, ...]

    def __call__(self, row: int) -> Pixels:
        shot = self.shots[row]
        person, age, expression = self.about(shot)
        stream = _stream(self.seed, shot.split, shot.person, shot.picture + 1)
        return render(person, age, expression, self.size, stream)

    def about(self, shot: _Shot) -> tuple[Person, float, str]:
        """Who is in a picture, at which age, with which expression."""
        person = _person(self.seed, shot.split, shot.person)
        # Neighbouring pictures differ by a fixed step: every seven show all expressions.
        expression = EXPRESSIONS[(shot.person + 3 * shot.picture) % len(EXPRESSIONS)]
        years = _YEARS * (2 * ((shot.picture + 1) * 0.6180339887 % 1) - 1)
        return person, max(1.0, person.age + years * min(1, person.age / 10)), expression


@lru_cache(4096)
def _person(seed: int, split: str, number: int) -> Person:
    return draw_person(number, _stream(seed, split, number, 0))


def _stream(seed: int, split: str, person: int, part: int) -> np.random.Generator:
    """One stream for the person (part 0) and one for each picture of them (from 1)."""
    return np.random.default_rng([seed, SPLITS.index(split), person, part])
