"""What a pack weighs is counted as documented, and as the paper counts."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from paenet import backbones
from paenet.packfile import accounting, read
from paenet.packfile.accounting import MIB
from paenet.packing import Pack
from tests.packfile.files import grown, pick, saved, tiny
from tests.packing.networks import batch_norm, packed, teach


def test_a_dense_facenet_takes_the_papers_89_mib() -> None:
    with torch.device("meta"):
        network = backbones.create("inception-resnet-v1", embedding=512)
    assert sum(p.numel() for p in network.parameters()) * 4 / MIB == pytest.approx(89.6, abs=0.05)


def test_every_kind_of_value_is_counted_by_hand() -> None:
    # 3x6x9 + 6x8x9 + 8x6 = 642 weights; biases and norms 6+8+6 + 2x(6+8) = 48.
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)
    teach(pack, "gender", prune=0.0, sees="base")
    found = accounting(pack)
    base, gender = found["tasks"]["base"], found["tasks"]["gender"]
    assert (base["owned"], base["seen"], base["total"]) == (321, 0, 642)
    assert (gender["owned"], gender["seen"], gender["total"]) == (321, 321, 642)
    assert base["private"] == 6 + 8 + 6 + 2 * (6 + 8)
    assert base["statistics"] == 2 * (6 + 8) + 2
    assert base["head"] == 6 * 3 + 3
    assert base["paper_mib"] == (5 * 321 + 4 * (48 + 21)) / MIB
    assert base["separate_mib"] == 4 * (642 + 48 + 21) / MIB
    assert (found["owned"], found["free"], found["total"]) == (642, 0, 642)
    assert found["paper_mib"] == pytest.approx(2 * base["paper_mib"])
    assert found["of_separate"] == pytest.approx(base["paper_mib"] / base["separate_mib"])


def test_a_pick_is_an_eighth_of_a_byte_for_each_weight_that_may_be_picked() -> None:
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)
    pick(pack, "gender", sees="base", claims="none")
    gender = accounting(pack)["tasks"]["gender"]
    picked = sum(int(p.sum()) for p in (pack.tasks["gender"].picked or {}).values())
    assert 0 < picked < 321
    assert (gender["owned"], gender["seen"], gender["picks"]) == (0, picked, 321)
    assert gender["paper_mib"] == (4 * (gender["private"] + 14) + 321 / 8) / MIB


def test_a_task_on_the_bases_norms_has_none_of_its_own() -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "head only", norms="base", claims="none")
    task = accounting(pack)["tasks"]["head only"]
    assert (task["owned"], task["private"], task["statistics"], task["head"]) == (0, 0, 0, 21)
    assert task["paper_mib"] == 4 * 21 / MIB


def test_separate_networks_have_the_given_width() -> None:
    found = accounting(grown()[0])["tasks"]
    assert found["base"]["total"] < found["age"]["total"] < found["mood"]["total"]
    assert found["age"]["separate_mib"] == found["mood"]["separate_mib"]


def test_separate_networks_have_the_given_width_though_the_first_task_was_widened(
    tmp_path: Path,
) -> None:
    pack = packed(batch_norm)
    for name, width in (("base", 1.5), ("age", 2.0)):
        learner = pack.learn(name, head=nn.Linear(6, 2))
        learner.widen(width)
        learner.freeze()
    found = accounting(read(saved(pack, tmp_path), backbone=batch_norm))
    assert found["dense"] == 642  # as counted above, with 48 biases and values of norms
    assert found["total"] == 27 * 12 + 9 * 12 * 16 + 6 * 16
    for task in found["tasks"].values():
        assert task["separate_mib"] == 4 * (642 + 48 + 14) / MIB


def test_nothing_is_lost_between_owned_and_free() -> None:
    pack = grown()[0]
    pack.remove("mood")
    found = accounting(pack)
    assert found["owned"] == sum(task["owned"] for task in found["tasks"].values())
    assert found["owned"] + found["free"] == found["total"] == pack.weights()
    assert {name: pack.weights(name) for name in pack.tasks} == {
        name: task["owned"] for name, task in found["tasks"].items()
    }


def test_a_file_counts_as_its_pack(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    file = read(path, backbone=batch_norm)
    found = accounting(file)
    assert found == accounting(file.pack) == json.loads(json.dumps(found))


def test_a_pack_whose_tasks_are_gone_weighs_nothing() -> None:
    pack = tiny()
    pack.remove("b")
    pack.remove("a")
    found = accounting(pack)
    assert (found["owned"], found["paper_mib"], found["of_separate"]) == (0, 0, 0)


def test_a_pack_of_a_module_is_counted_too() -> None:
    pack = Pack(nn.Linear(4, 4))
    pack.learn("a", head=nn.PReLU()).freeze()
    task = accounting(pack)["tasks"]["a"]
    assert (task["owned"], task["private"], task["head"]) == (16, 4, 1)
