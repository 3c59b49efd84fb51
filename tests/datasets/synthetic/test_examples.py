"""Drawn faces: the same for the same seed, in numbers and labels as promised."""

import pickle
from collections import Counter

import numpy as np
import pytest

from paenet.datasets import EXPRESSIONS, DataError, synthetic_faces


def test_a_picture_is_a_function_of_seed_split_person_and_number() -> None:
    few = synthetic_faces("val", people=2, per_person=2)
    many = synthetic_faces("val", people=3, per_person=4)
    # Person 1, picture 1: other counts change nothing about it.
    np.testing.assert_array_equal(few.read(3), many.read(5))
    np.testing.assert_array_equal(few.read(3), few.read(3))
    other = synthetic_faces("val", people=2, per_person=2, seed=1)
    assert not np.array_equal(few.read(3), other.read(3))


def test_pictures_have_the_size_that_was_asked_for() -> None:
    for size in (16, 64, 97, 210):
        pixels = synthetic_faces("train", people=1, per_person=1, size=size).read(0)
        assert pixels.shape == (size, size, 3)
        assert pixels.dtype == np.uint8


def test_splits_share_no_people_and_together_are_everyone() -> None:
    parts = [set(synthetic_faces(split).columns["identity"]) for split in ("train", "val", "test")]
    assert not parts[0] & parts[1] | parts[0] & parts[2] | parts[1] & parts[2]
    assert set(synthetic_faces().columns["identity"]) == set.union(*parts)
    train, val = (synthetic_faces(s, people=1, per_person=1) for s in ("train", "val"))
    assert not np.array_equal(train.read(0), val.read(0))


def test_labels_are_balanced_and_cover_what_tasks_need() -> None:
    columns = synthetic_faces("train", people=70, per_person=7).columns
    assert set(Counter(columns["gender"]).values()) == {245}
    assert Counter(columns["expression"]) == dict.fromkeys(EXPRESSIONS, 70)
    ages = np.array(columns["age"], dtype=int)
    assert ages.min() >= 1
    assert ages.max() <= 95
    # The eight Adience groups, each with at least some pictures.
    for low, high in ((0, 2), (4, 6), (8, 13), (15, 20), (25, 32), (38, 43), (48, 53), (60, 95)):
        assert ((ages >= low) & (ages <= high)).sum() >= 7


def test_one_person_has_one_gender_and_stays_within_a_few_years() -> None:
    columns = synthetic_faces("test", people=20, per_person=10).columns
    for identity in set(columns["identity"]):
        rows = [row for row, name in enumerate(columns["identity"]) if name == identity]
        assert len({columns["gender"][row] for row in rows}) == 1
        ages = [int(columns["age"][row]) for row in rows]
        assert max(ages) - min(ages) <= 6


def test_readers_travel_to_other_processes() -> None:
    examples = synthetic_faces("val", people=1, per_person=1)
    read = pickle.loads(pickle.dumps(examples.read))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(read(0), examples.read(0))


def test_the_version_changes_with_what_is_drawn() -> None:
    versions = {
        synthetic_faces("val", people=people, per_person=1, seed=seed, size=size).version
        for people, seed, size in ((2, 0, 64), (3, 0, 64), (2, 1, 64), (2, 0, 32))
    }
    assert len(versions) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "vall"}, "no examples in split 'vall'; did you mean 'val'?"),
        ({"split": "val", "per_person": 0}, "per_person is 0; give a whole number >= 1"),
        ({"split": "val", "size": 8}, "size is 8; give a whole number >= 16"),
        ({"split": "val", "seed": 1.5}, "seed is 1.5"),
    ],
)
def test_a_wrong_argument_is_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        synthetic_faces(**arguments)
