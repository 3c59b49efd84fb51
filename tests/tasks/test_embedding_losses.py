"""Imitating a teacher, and angular margins."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, normalize

from paenet.tasks import TaskError, create
from paenet.tasks.embedding_losses import AngularSoftmax, Distillation


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_perfect_imitation_costs_nothing() -> None:
    teacher = numbers(4, 8)
    assert Distillation(0.1)(teacher.clone(), teacher).item() == pytest.approx(0, abs=1e-6)


def test_angle_and_length_are_charged_apart() -> None:
    teacher = numbers(4, 8)
    assert Distillation(0.0)(3 * teacher, teacher).item() == pytest.approx(0, abs=1e-6)
    assert Distillation(0.5)(3 * teacher, teacher).item() == pytest.approx(
        0.5 * math.log(3) ** 2, rel=1e-5
    )
    assert Distillation(0.5)(-teacher, teacher).item() == pytest.approx(2, rel=1e-5)


def test_an_embedding_of_another_size_than_the_teachers_is_refused() -> None:
    with pytest.raises(TaskError, match=r"\(4, 8\).*\(4, 6\); set 'embedding'"):
        Distillation(0.1)(numbers(4, 8), numbers(4, 6))


def test_without_margin_it_is_a_softmax_over_scaled_cosines() -> None:
    loss, people = AngularSoftmax(8, 5, scale=7.0, margin=0.0), torch.tensor([0, 4, 2])
    cosines = normalize(numbers(3, 8)) @ normalize(loss.centres).T
    assert torch.allclose(loss(numbers(3, 8), people), cross_entropy(7 * cosines, people))


def test_the_margin_is_added_to_the_angle_to_the_right_person_alone() -> None:
    loss, people = AngularSoftmax(8, 5, scale=7.0, margin=0.4), torch.tensor([0, 4, 2])
    angles = (normalize(numbers(3, 8)) @ normalize(loss.centres).T).acos()
    assert (angles < math.pi - 0.4).all()
    shifted = angles + 0.4 * torch.eye(5)[people]
    expected = cross_entropy(7 * shifted.cos(), people)
    assert torch.allclose(loss(numbers(3, 8), people), expected, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 3.0, math.pi])
def test_gradients_are_finite_at_every_angle(angle: float) -> None:
    loss = AngularSoftmax(2, 2, scale=30.0, margin=0.5)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    embedding = torch.tensor([[math.cos(angle), math.sin(angle)]], requires_grad=True)
    loss(embedding, torch.tensor([0])).backward()
    assert embedding.grad is not None
    assert embedding.grad.isfinite().all()


def test_the_further_from_the_right_centre_the_higher_the_loss() -> None:
    loss = AngularSoftmax(2, 2, scale=1.0, margin=0.5)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    angles = torch.linspace(0.01, math.pi - 0.01, 60)
    losses = [loss(torch.tensor([[a.cos(), a.sin()]]), torch.tensor([0])).item() for a in angles]
    assert losses == sorted(losses)


@pytest.mark.parametrize("objective", ["softmax", "arcface"])
def test_labels_pull_people_apart(objective: str) -> None:
    task = create("identity", "who", objective=objective, embedding=4)
    people = task.encode({"identity": [f"p{row % 6}" for row in range(48)]})
    quiet = numbers(6, 4)[people] + 0.2 * numbers(48, 4, seed=1)
    images = torch.cat([quiet, 3 * numbers(48, 12, seed=2)], 1)  # most of an image is no identity
    torch.manual_seed(0)
    head, criterion = task.head(16), task.criterion(16, people)
    before = task.measure(head(images), people)["verification"].value
    optimizer = torch.optim.Adam([*head.parameters(), *criterion.parameters()], 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        criterion(head(images), people).backward()
        optimizer.step()
    assert task.measure(head(images), people)["verification"].value > before + 0.15
