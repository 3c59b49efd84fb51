"""Value grids in a run: the smallest file that holds the goal, judged on what is stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from paenet import packfile, training
from paenet.packing import Learner
from paenet.training import RecipeError
from tests.training import toys
from tests.training.conftest import Measure


def different(network: nn.Module) -> int:
    """The most values that a layer's weights take."""
    weights = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    if not isinstance(network, Learner):
        weights = weights[:-1]  # the head's
    else:
        weights = [weight(theta) for theta, weight in network.owned().values()]
    return max(len(w[w != 0].unique()) for w in weights)


def at_least(values: int) -> Callable[[nn.Module], float]:
    """A goal of 1 that needs so many different values in a layer."""
    return lambda network: min(1.0, different(network) / values)


def task(faces: Path, **keys: Any) -> dict[str, Any]:
    return toys.task("a", faces, goal={"at_least": 1.0}, **{"prune": {"stages": 0}, **keys})


def codings(path: Path) -> dict[str, str]:
    return packfile.describe(path)["tasks"][0]["codings"]


@pytest.mark.parametrize(
    ("values", "grid"), [(8, "codebook3"), (9, "codebook4"), (33, "codebook6"), (100, "int8")]
)
def test_auto_takes_the_first_grid_that_holds_the_goal(
    values: int, grid: str, faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(at_least(values))
    path = training.run(toys.recipe(task(faces, values="auto")), tmp_path)
    assert codings(path)["values"] in (grid, "codebook7")  # the coder may find a smaller one
    assert packfile.read(path, backbone=toys.tiny).pack.tasks["a"].notes["goal"]["met"]
    stages = [key.partition("/")[2] for key in toys.entries(tmp_path)]
    assert grid in stages
    assert stages.index(grid) == len(stages) - 3  # then the rest, then the task


def test_where_no_grid_holds_the_goal_the_weights_stay_as_they_are(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: float(full(network)))
    path = training.run(toys.recipe(task(faces, values="auto")), tmp_path)
    assert codings(path) == {"values": "float32", "private": "float32", "head": "float32"}
    plain = training.run(toys.recipe(task(faces)), tmp_path / "plain")
    assert toys.fingerprints(path) == toys.fingerprints(plain)


def full(network: nn.Module) -> bool:
    """Whether neither the weights nor the head of a learner have been rounded."""
    if not isinstance(network, Learner):
        return True
    weights = [weight(theta)[weight.trainable] for theta, weight in network.owned().values()]
    head = [t.flatten() for t in network.head.state_dict().values()]
    exact = [not torch.equal(t, t.bfloat16().float()) for t in map(torch.cat, (weights, head))]
    return all(exact) and len(torch.cat(weights).unique()) > 600


def test_a_grid_that_misses_is_trained_on_before_it_is_given_up(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(at_least(9))
    recipe = toys.recipe(task(faces, values={"grid": "auto", "epochs": 0.5}))
    training.run(recipe, tmp_path)
    entries = toys.entries(tmp_path)
    assert "a/codebook3-trained" in entries
    assert "a/codebook4-trained" not in entries


def test_a_grid_that_is_named_is_taken_and_judged_as_it_is(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(at_least(9))
    path = training.run(toys.recipe(task(faces, values="codebook3")), tmp_path)
    assert codings(path)["values"] == "codebook3"
    goal = packfile.read(path, backbone=toys.tiny).pack.tasks["a"].notes["goal"]
    assert goal["met"] is False


def test_later_tasks_stand_on_snapped_weights(faces: Path, tmp_path: Path) -> None:
    tasks = [toys.task(name, faces, values="codebook4") for name in ("a", "b")]
    path = training.run(toys.recipe(*tasks), tmp_path)
    pack = packfile.read(path, backbone=toys.tiny).pack
    network = pack.materialize("b")
    for name, layer in pack.layers.items():
        weight = network.get_parameter(f"backbone.{name}.weight")
        for slot in (1, 2):
            assert len(weight[layer.owner == slot].unique()) <= 16


def test_a_run_that_was_stopped_on_a_grid_ends_as_one_that_was_not(
    faces: Path, tmp_path: Path
) -> None:
    tasks = [toys.task("a", faces, goal={"at_least": 0.4}, values="auto")]
    whole = training.run(toys.recipe(*tasks), tmp_path / "whole")
    stages = [key for key in toys.entries(tmp_path / "whole") if "/" in key]
    for stage in stages[:-1]:
        folder = tmp_path / stage.replace("/", "-")
        with pytest.raises(KeyboardInterrupt):
            training.run(toys.recipe(*tasks), folder, reporter=Interrupting(stage))
        assert toys.fingerprints(training.run(toys.recipe(*tasks), folder)) == toys.fingerprints(
            whole
        )


class Interrupting(training.Silent):
    """Stops the run where a stage begins."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        if key == self._stage:
            raise KeyboardInterrupt


@pytest.mark.parametrize("grid", ["codebook2", "int4", 8])
def test_an_unknown_grid_is_refused(grid: Any, faces: Path) -> None:
    with pytest.raises(RecipeError, match="values"):
        toys.recipe(task(faces, values=grid))
