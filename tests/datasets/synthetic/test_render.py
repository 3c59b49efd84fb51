"""What is seen follows the person, the years and the expression."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.datasets.synthetic.expression import EXPRESSIONS, Action, act
from paenet.datasets.synthetic.face import Face
from paenet.datasets.synthetic.hair import STYLES
from paenet.datasets.synthetic.person import Person, draw_person
from paenet.datasets.synthetic.render import render


def stream(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def someone(**changes: object) -> Person:
    return replace(draw_person(0, stream()), **changes)


def shot(person: Person, age: float = 30, expression: str = "neutral") -> np.ndarray:
    """The same pose, light and background every time."""
    return render(person, age, expression, 32, stream(7)).astype(int)


@given(
    st.integers(0, 10**6),
    st.floats(0.5, 95),
    st.sampled_from(EXPRESSIONS),
    st.sampled_from(sorted(STYLES)),
    st.integers(0, 10**6),
)
def test_anyone_can_be_drawn_at_any_age_with_any_expression_and_hair(
    number: int, age: float, expression: str, style: str, seed: int
) -> None:
    person = replace(draw_person(number, stream(seed)), style=style)
    pixels = render(person, age, expression, 32, stream(seed + 1))
    assert pixels.shape == (32, 32, 3)
    assert pixels.std() > 3


@pytest.mark.parametrize("expression", [name for name in EXPRESSIONS if name != "neutral"])
def test_an_expression_changes_the_face_and_leaves_the_corners(expression: str) -> None:
    difference = np.abs(shot(someone(), expression=expression) - shot(someone())).sum(axis=2)
    assert difference[8:30, 6:26].max() > 60


def test_hair_greys_with_age() -> None:
    person = someone(hair=(34, 28, 30), grey_from=45)
    young, old = person.hair_at(30), person.hair_at(80)
    assert young == person.hair
    assert min(old) > 190


def test_children_have_larger_lower_eyes_and_a_shorter_face() -> None:
    child, adult = (Face(someone(), age, Action()) for age in (3, 30))
    assert child.eye_size > adult.eye_size
    assert child.eye_y > adult.eye_y
    assert child.chin_y < adult.chin_y


def test_lines_deepen_with_every_decade_of_a_grown_life() -> None:
    depths = [Face(someone(), age, Action()).old for age in range(20, 90, 10)]
    assert depths[0] == 0
    assert depths[1:] == sorted(set(depths[1:]))


def test_men_keep_beards_out_of_childhood() -> None:
    bearded, shaven = (someone(gender="male", beard=kind) for kind in ("full", "none"))
    assert not np.array_equal(shot(bearded, age=40), shot(shaven, age=40))
    np.testing.assert_array_equal(shot(bearded, age=9), shot(shaven, age=9))


@pytest.mark.parametrize(
    ("expression", "field", "sign"),
    [
        ("happy", "corner", 1),
        ("sad", "corner", -1),
        ("surprise", "jaw", 1),
        ("fear", "upper_lid", 1),
        ("anger", "brow_inner", -1),
        ("disgust", "nose", 1),
    ],
)
def test_expressions_move_what_the_coding_system_says(
    expression: str, field: str, sign: int
) -> None:
    for seed in range(20):
        assert sign * getattr(act(expression, stream(seed)), field) > 0.02
