"""What `pae bench file` measures is what it says; how fast a machine is, is no promise."""

import dataclasses
import json
import re
import tempfile
from pathlib import Path

import pytest
import torch

from paenet import bench, packfile
from paenet.bench.sample import sample
from tests.cli.conftest import Pae, pae

__all__ = ["pae"]

BARS = {"float32": 0.285, "bfloat16": 0.125, "codebook4": 0.06}


def test_a_sample_shares_every_layer_out_by_density() -> None:
    pack = sample("small", None, (0.5, 0.25)).pack
    for layer in pack.layers.values():
        for slot, share in ((1, 0.5), (2, 0.25), (0, 0.25)):
            assert abs(int((layer.owner == slot).sum()) - share * layer.owner.numel()) <= 1
        first = layer.theta[layer.owner == 1].abs().min()
        assert first >= layer.theta[layer.owner == 2].abs().max()
        assert not layer.theta[layer.owner == 0].any()
    again = sample("small", None, (0.5, 0.25)).pack
    assert all(torch.equal(again.layers[n].owner, pack.layers[n].owner) for n in pack.layers)


@pytest.mark.slow
def test_a_pack_is_as_small_as_it_must_be(pae: Pae) -> None:
    done = pae("bench", "file", "--backbone", "small", "--repeats", "1", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    for grid, bar in BARS.items():
        assert found["of_separate"][grid] <= bar
    assert found["owners_over_entropy"] <= 1.03
    assert found["against"]["state_dicts"] < found["against"]["paper"] < 1
    assert found["against"]["entropy"] == pytest.approx(1, abs=0.05)
    assert min(found["load_over_safetensors"], found["save_seconds"]) > 0
    assert found["densities"] == list(bench.DENSITIES)


def test_a_pack_of_ones_own_is_measured(pae: Pae, tmp_path: Path) -> None:
    held = sample("small", None, (0.4,))
    path = tmp_path / "p.pae"
    packfile.write(held.pack, path, backbone=held.spec)
    done = pae("bench", "file", "--pack", path, "--repeats", "1", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert (found["pack"], found["tasks"]) == (str(path), 1)
    assert found["file_bytes"] == path.stat().st_size


def test_a_tasks_name_is_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = sample("small", None, (0.4,))
    task = held.pack.tasks["task1"]
    held.pack.tasks.clear()
    held.pack.tasks["../x"] = dataclasses.replace(task, name="../x")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("paenet.bench.file.peak_of_loading", lambda *arguments: None)
    assert bench.bench_file(held, repeats=1)["tasks"] == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_task_that_owns_everything_has_owners_without_information(pae: Pae) -> None:
    done = pae("bench", "file", "--backbone", "small", "--densities", "1.0", "--repeats", "1")
    assert done.code == 0, done.err
    assert re.search(r"owner maps ÷ entropy\W+–", done.out)


@pytest.mark.parametrize("densities", ["0.9,0.2", "0", "half", ""])
def test_densities_must_be_shares(densities: str, pae: Pae) -> None:
    done = pae("bench", "file", "--densities", densities)
    assert (done.code, done.out) == (2, "")
    assert "give shares above 0 that sum to at most 1" in done.err
