"""A file keeps what a task has in common with the base, and holds the task to it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from paenet.packfile import PackFileError, check, checking, extract, load, merge, read
from paenet.packing import Pack
from paenet.packing.fingerprint import fingerprint_of
from paenet.packing.layout import PACKABLE
from tests.packfile.files import changed, saved
from tests.packing.networks import Promise, batch_norm, packed, teach

STEM = "0"  # the first convolution with its norm


@pytest.fixture
def pack() -> Pack:
    """A base, a task of its own, and two with a stem, of which one sees everything above it."""
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "own")
    teach(pack, "all", stem=STEM, sees="all")
    teach(pack, "some", stem=STEM)
    return pack


def test_tasks_with_a_stem_come_back_bit_for_bit(pack: Pack, tmp_path: Path) -> None:
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    path = saved(pack, tmp_path)
    again = read(path, backbone=batch_norm)
    promise.check(again.pack)
    assert {n: t.stem for n, t in again.pack.tasks.items()} == {
        n: t.stem for n, t in pack.tasks.items()
    }
    for name, network in load(path, backbone=batch_norm).items():
        assert fingerprint_of(network) == promise.made[name][0], name
    only = load(path, ["all"], backbone=batch_norm)["all"]
    assert fingerprint_of(only) == promise.made["all"][0]
    assert check(path, backbone=batch_norm).ok


@pytest.mark.parametrize("names", [None, ["some", "base"], ["some", "all"]])
def test_stems_can_be_the_first_task_s_own_tensors(
    pack: Pack, names: list[str] | None, tmp_path: Path
) -> None:
    networks = load(saved(pack, tmp_path), names, backbone=batch_norm, share_stems=True)
    weights = {name: network.backbone[0].weight.data_ptr() for name, network in networks.items()}
    for name, network in networks.items():
        assert fingerprint_of(network) == pack.fingerprint(name)
        shares = "base" in networks and name in ("all", "some")
        assert (weights[name] == weights.get("base")) == (shares or name == "base")


def test_shared_stems_are_the_first_task_s_own_modules(pack: Pack, tmp_path: Path) -> None:
    """They need not be built again for each task; what is a task's own stays apart."""
    networks = load(saved(pack, tmp_path), backbone=batch_norm, share_stems=True)
    stem = len(pack.tasks["some"].stem.layers)
    base, some, own = (list(networks[n].backbone.modules()) for n in ("base", "some", "own"))
    packed = [i for i, module in enumerate(base) if isinstance(module, PACKABLE)]
    assert [some[i] is base[i] for i in packed] == [True] * stem + [False] * (len(packed) - stem)
    assert not any(own[i] is base[i] for i in packed)
    assert networks["some"].head is not networks["base"].head


def test_a_task_with_a_stem_takes_it_along(pack: Pack, tmp_path: Path) -> None:
    path, small, both = saved(pack, tmp_path), tmp_path / "small.pae", tmp_path / "both.pae"
    assert extract(path, ["some"], small, backbone=batch_norm) == ["base", "some"]
    other = extract(path, ["own"], tmp_path / "own.pae", backbone=batch_norm)
    assert other == ["base", "own"]
    merge(tmp_path / "own.pae", small, both, backbone=batch_norm)
    merged = read(both, backbone=batch_norm).pack
    assert merged.tasks["some"].stem == pack.tasks["some"].stem
    assert merged.fingerprint("some") == pack.fingerprint("some")


def _unknown_layer(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
    document["tasks"][2]["stem"]["layers"].append("9")


def _blind(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
    document["tasks"][2]["sees"] = ["own"]


def _of_the_base(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
    document["tasks"][0]["stem"] = {"name": "0", "layers": ["0"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_unknown_layer, "task 'all': its stem has layer '9'"),
        (_blind, "tasks.2: has a stem and does not see the base"),
        (_of_the_base, "tasks.0: has a stem and does not see the base"),
    ],
)
def test_a_stem_that_cannot_be_is_refused(
    pack: Pack, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    path = changed(saved(pack, tmp_path), change)
    with pytest.raises(PackFileError, match=message):
        read(path, backbone=batch_norm)


def test_a_task_that_owns_weights_in_its_stem_is_found(pack: Pack, tmp_path: Path) -> None:
    def take(document: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        slot = document["tasks"][3]["slot"]
        free = (tensors["owner.0"] == 0).nonzero()[0]
        tensors["owner.0"][tuple(free)] = slot

    report = check(changed(saved(pack, tmp_path), take), backbone=batch_norm)
    assert "layer '0': task 'some' owns 1 weights in its stem" in str(report.findings)


def _renamed(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
    document["tasks"][3]["stem"]["name"] = "00"


def _shortened(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
    document["tasks"][3]["stem"]["name"] = "3"


def _own_norm(document: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    base, task = (document["tasks"][i]["slot"] for i in (0, 3))
    tensors[f"private.{task}.1.bias"] = tensors[f"private.{base}.1.bias"] + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_renamed, "task 'some': stem '00': the network has no such place to split"),
        (_shortened, "task 'some': stem '3' lacks layer '3', which lies below"),
        (_own_norm, "tensor '1.bias': task 'some' has one of its own in its stem"),
    ],
)
def test_a_stem_that_is_not_the_base_s_is_found(
    pack: Pack, tmp_path: Path, change: Callable[..., None], message: str
) -> None:
    report = check(changed(saved(pack, tmp_path), change), backbone=batch_norm)
    assert message in str([f.message for f in report.findings if f.law == checking.STEM_LAW])
