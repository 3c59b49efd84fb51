"""A task gives channels up while its goal holds, and goes back to the last that held it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from paenet import packfile, training
from paenet.training import RecipeError
from tests.training import toys
from tests.training.conftest import Measure

CHANNELS = {"to": 0.6, "stages": 2, "epochs": 0.5}


def run(faces: Path, folder: Path, **keys: Any) -> Path:
    task = toys.task("light", faces, **{"channels": CHANNELS, **keys})
    recipe = toys.recipe(toys.task("base", faces), task)
    return training.run(recipe, folder / "run", cache=folder / "cache")


@pytest.mark.parametrize("stem", ["none", "0"])
def test_a_task_costs_less_work_and_the_base_what_it_did(
    stem: str, faces: Path, tmp_path: Path
) -> None:
    path = run(faces, tmp_path, stem=stem)
    entries = toys.entries(tmp_path / "run")
    assert [key for key in entries if "channels" in key] == ["light/channels-1", "light/channels-2"]
    pack = packfile.read(path, backbone=toys.tiny).pack
    assert pack.own_work("base") == 1
    whole = 1 if stem == "none" else 1 - pack.splits()[stem].work
    assert entries["light/learnt"]["own_work"] == pack.own_work("light") < 0.7 * whole
    assert len(pack.widths) == 2
    assert packfile.check(path, backbone=toys.tiny).ok
    assert not list((tmp_path / "run").glob("state-*"))


def test_the_last_stage_that_held_the_goal_is_kept(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    def channels(network: nn.Module) -> float:
        whole = network.get_submodule("backbone")
        return float(whole.get_submodule("3").out_channels >= 4)

    measure(channels)
    plan = {**CHANNELS, "to": 0.8}
    path = run(faces, tmp_path, goal={"at_least": 1.0}, channels=plan)
    entries = toys.entries(tmp_path / "run")
    stages = (entries[f"light/channels-{stage}"] for stage in (1, 2))
    assert [stage["metrics"]["accuracy"]["value"] for stage in stages] == [1.0, 0.0]
    pack = packfile.read(path, backbone=toys.tiny).pack
    assert pack.widths[pack.tasks["light"].width].skeleton.get_submodule("3").out_channels == 4


def test_a_task_that_was_widened_keeps_its_channels(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: 0.2)
    run(faces, tmp_path, goal={"at_least": 0.5, "missed": "keep"})
    assert not [key for key in toys.entries(tmp_path / "run") if "channels" in key]


def test_where_nothing_has_a_width_of_its_own_channels_stay(faces: Path, tmp_path: Path) -> None:
    path = run(faces, tmp_path, stem="3")
    assert len(packfile.read(path, backbone=toys.tiny).pack.widths) == 1


def test_the_first_task_and_those_on_its_norms_keep_their_channels(
    faces: Path, tmp_path: Path
) -> None:
    first = toys.task("base", faces, channels=CHANNELS)
    with pytest.raises(RecipeError, match=r"'base': channels\.to: .* the first in its network"):
        training.run(toys.recipe(first), tmp_path / "run", cache=tmp_path / "cache")
    recipe = toys.recipe(
        toys.task("base", faces), toys.task("light", faces, channels=CHANNELS), norms="base"
    )
    with pytest.raises(RecipeError, match=r"'light': channels\.to: .* norms: base"):
        training.run(recipe, tmp_path / "other", cache=tmp_path / "cache")
    assert not list(tmp_path.rglob("*.pae"))
