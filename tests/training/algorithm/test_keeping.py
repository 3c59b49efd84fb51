"""A task whose weights stay as they were given: what is trained is what stands beside them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from paenet import packfile, training
from paenet.packing import Pack
from paenet.training.base import base_of_recipe
from tests.training import toys

KEEP = {"epochs": 1, "batch": 16, "rate": 0.01, "weights": "keep"}


@pytest.fixture
def recipe(faces: Path) -> training.Recipe:
    return toys.recipe(toys.task("a", faces, budget=KEEP), toys.task("b", faces))


@pytest.fixture
def pack(recipe: training.Recipe, tmp_path: Path) -> Pack:
    path = training.run(recipe, tmp_path)
    return packfile.read(path, backbone=toys.tiny).pack


def test_kept_weights_are_the_given_ones_and_norms_are_not(
    recipe: training.Recipe, pack: Pack
) -> None:
    given = base_of_recipe(recipe).pack()
    for name, layer in pack.layers.items():
        mine = layer.owner == 1
        assert mine.any()
        assert torch.equal(layer.theta[mine], given.layers[name].theta[mine])
    assert pack.weights("a") == pytest.approx(0.5 * given.weights(), abs=4)  # it was pruned
    private, before = pack.tasks["a"].private, given.given()
    assert not torch.equal(private["1.weight"], before["1.weight"])


def test_another_task_of_the_recipe_is_trained_whole(recipe: training.Recipe, pack: Pack) -> None:
    given = base_of_recipe(recipe).pack()
    for name, layer in pack.layers.items():
        mine = layer.owner == 2
        assert not torch.equal(layer.theta[mine], given.layers[name].theta[mine])
