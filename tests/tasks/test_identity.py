"""Identities from a column, and what is asked of the caller."""

import math

import pytest
import torch

from paenet.tasks import Identity, TaskError

LABELLED = Identity(name="who", objective="arcface")
DISTILLED = Identity(name="who")


def test_people_are_numbered_by_name_whatever_the_order_of_the_rows() -> None:
    assert LABELLED.encode({"identity": ["cid", "ann", "cid", "bob"]}).tolist() == [2, 0, 2, 1]


def test_an_empty_identity_is_named_with_its_row() -> None:
    with pytest.raises(TaskError, match="row 2: the column 'identity' is empty"):
        LABELLED.encode({"identity": ["ann", ""]})


def test_a_distilled_identity_takes_no_labels() -> None:
    with pytest.raises(TaskError, match="no label column"):
        DISTILLED.encode({"identity": ["ann"]})


def test_agreement_is_the_mean_cosine_to_the_teacher() -> None:
    teacher = torch.eye(4)
    outputs = torch.stack([5 * teacher[0], teacher[1], -teacher[2], teacher[0]])
    agreement = DISTILLED.measure(outputs, teacher)["agreement"]
    assert agreement.value == (1 + 1 - 1 + 0) / 4
    assert agreement.unit == "cosine"


def test_one_person_cannot_be_told_apart() -> None:
    with pytest.raises(TaskError, match="1 people"):
        LABELLED.criterion(8, torch.tensor([0, 0]))


def test_the_scale_fits_the_number_of_people_unless_told() -> None:
    people = torch.arange(1001)
    assert LABELLED.criterion(8, people).scale == pytest.approx(2**0.5 * math.log(1000))
    assert LABELLED.criterion(8, people[:2]).scale == 2
    told = Identity(name="who", objective="arcface", scale=64)
    assert told.criterion(8, people).scale == 64


@pytest.mark.parametrize("size", [64.0, 2.5])
def test_the_size_of_an_embedding_is_a_whole_number(size: float) -> None:
    with pytest.raises(TaskError, match=f"embedding: {size} is not a whole number"):
        Identity(name="who", objective="softmax", embedding=size)  # type: ignore[arg-type]


def test_the_centres_have_the_size_of_the_embedding() -> None:
    people = torch.tensor([0, 1, 2])
    assert LABELLED.criterion(8, people).centres.shape == (3, 8)
    small = Identity(name="who", objective="softmax", embedding=5)
    assert small.criterion(8, people).centres.shape == (3, 5)
    assert small.head(8)(torch.zeros(1, 8)).shape == (1, 5)
