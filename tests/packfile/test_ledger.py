"""Every byte of a file is accounted for, and how few there could be is computed right."""

import copy
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from paenet.packfile import BackboneSpec, accounting, ledger, write
from paenet.packing import Pack
from tests.packfile.files import grown, pick, saved


def entropy(share: float) -> float:
    return -share * math.log2(share) - (1 - share) * math.log2(1 - share)


def test_every_byte_is_counted_once(tmp_path: Path) -> None:
    pack = grown()[0]
    pick(pack, "pose", sees="all")
    path = saved(pack, tmp_path)
    found = ledger(path)
    assert [name for name, task in found["tasks"].items() if task["picks"]] == ["pose"]
    counted = sum(
        task[part]  # type: ignore[literal-required]
        for task in found["tasks"].values()
        for part in ("values", "owners", "picks", "norms", "head")
    )
    assert found["total"] == path.stat().st_size == counted + found["container"]
    header = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    assert found["container"] > header  # shapes and channel maps lie behind it


@pytest.fixture(scope="module")
def large() -> Pack:
    """Two tasks that own 60 % and 30 % of a layer, at random places."""
    torch.manual_seed(0)
    pack = Pack(nn.Linear(400, 500, bias=False))
    for name, share in (("a", 0.6), ("b", 0.75)):
        learner = pack.learn(name, head=nn.Identity(), sees="none")
        (_, weight), *_ = learner.owned().values()
        weight.trainable &= torch.rand(500, 400) < share
        learner.freeze()
    return pack


def test_the_entropy_of_owner_maps_is_that_of_each_task_given_those_before(
    large: Pack, tmp_path: Path
) -> None:
    write(large, tmp_path / "p.pae", backbone=BackboneSpec("a:b"))
    tasks = ledger(tmp_path / "p.pae")["tasks"]
    a, b = large.weights("a"), large.weights("b")
    assert tasks["a"]["owners_entropy"] == pytest.approx(200_000 * entropy(a / 200_000) / 8)
    left = 200_000 - a
    assert tasks["b"]["owners_entropy"] == pytest.approx(left * entropy(b / left) / 8)


def test_owner_maps_take_hardly_more_than_their_entropy(large: Pack, tmp_path: Path) -> None:
    write(large, tmp_path / "p.pae", backbone=BackboneSpec("a:b"))
    for task in ledger(tmp_path / "p.pae")["tasks"].values():
        assert task["owners"] < 1.03 * task["owners_entropy"]


def test_a_pick_takes_hardly_more_than_its_entropy_a_bit_for_each_seen_weight(
    large: Pack, tmp_path: Path
) -> None:
    pack = copy.deepcopy(large)
    pick(pack, "c", head=nn.Identity(), sees=["a"], claims="none")
    write(pack, tmp_path / "p.pae", backbone=BackboneSpec("a:b"))
    task, seen = ledger(tmp_path / "p.pae")["tasks"]["c"], pack.weights("a")
    picked = int(sum(p.sum() for p in (pack.tasks["c"].picked or {}).values()))
    assert task["picks_entropy"] == pytest.approx(seen * entropy(picked / seen) / 8)
    assert task["picks"] < 1.03 * task["picks_entropy"] + 20


def test_the_entropy_of_values_is_that_of_their_bytes(tmp_path: Path) -> None:
    pack = Pack(nn.Linear(4, 4, bias=False))
    learner = pack.learn("a", head=nn.Identity())
    with torch.no_grad():
        for theta, _ in learner.owned().values():
            theta.copy_(torch.tensor([1.0, 2.0, 3.0, 4.0]).repeat(4, 1))
    learner.freeze()
    write(pack, tmp_path / "p.pae", backbone=BackboneSpec("a:b"))
    task = ledger(tmp_path / "p.pae")["tasks"]["a"]
    assert task["coding"].startswith("codebook2")
    assert task["owners_entropy"] == 0
    assert 0 <= task["values_entropy"] <= 4 + 17


def test_a_count_of_weights_does_not_depend_on_the_file(tmp_path: Path) -> None:
    pack = grown()[0]
    found = accounting(pack)
    assert found["owned"] == sum(pack.weights(name) for name in pack.tasks)
    assert set(ledger(saved(pack, tmp_path))["tasks"]) == set(found["tasks"])
