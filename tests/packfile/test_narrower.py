"""A task that gave channels up is in a file what it was in the pack."""

from pathlib import Path

import pytest
import torch

from paenet import packfile
from paenet.packfile import BackboneSpec
from paenet.packing import Pack
from tests.packing.networks import Promise, batch_norm, head, packed, teach, train

SPEC = BackboneSpec("mine:batch_norm")


@pytest.fixture
def pack() -> Pack:
    pack = packed(batch_norm)
    teach(pack, "base")
    learner = pack.learn("small", head=head())
    train(learner)
    learner.narrow(0.5)
    train(learner)
    learner.prune(to=0.5)
    learner.freeze()
    teach(pack, "later", sees="all")
    return pack


@pytest.fixture
def path(pack: Pack, tmp_path: Path) -> Path:
    path = tmp_path / "pack.pae"
    packfile.write(pack, path, backbone=SPEC)
    return path


def test_it_is_read_as_it_was_written_and_keeps_every_law(pack: Pack, path: Path) -> None:
    promise = Promise()
    for name in pack.tasks:
        promise.make(pack, name)
    promise.check(packfile.read(path, backbone=batch_norm).pack)
    report = packfile.check(path, backbone=batch_norm)
    assert report.ok
    assert not report.skipped


def test_alone_it_is_loaded_at_its_own_width(pack: Pack, path: Path) -> None:
    found = packfile.load(path, ["small"], backbone=batch_norm)["small"].state_dict()
    expected = pack.materialize("small").state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    assert found["backbone.0.weight"].shape[0] == 3


def test_it_can_be_extracted(pack: Pack, path: Path) -> None:
    small = path.with_name("small.pae")
    assert packfile.extract(path, ["small"], small, backbone=batch_norm) == ["base", "small"]
    left = packfile.read(small, backbone=batch_norm).pack
    assert left.fingerprint("small") == pack.fingerprint("small")


def test_the_account_is_by_its_own_network_and_separate_ones_are_the_base_s(pack: Pack) -> None:
    tasks = packfile.accounting(pack)["tasks"]
    assert tasks["small"]["total"] < tasks["base"]["total"]
    assert tasks["small"]["separate_mib"] == tasks["base"]["separate_mib"]


def test_on_steps_of_what_it_sees_in_its_channels_it_is_written_as_int8(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)
    learner = pack.learn("small", head=head())
    train(learner)
    learner.narrow(0.5)
    with torch.no_grad():
        for theta, _ in learner.owned().values():
            theta.normal_(std=0.05)
    learner.snap("int8")
    learner.freeze()
    path = tmp_path / "pack.pae"
    packfile.write(pack, path, backbone=SPEC)
    assert packfile.describe(path)["tasks"][1]["codings"]["values"] == "int8"
    assert packfile.check(path, backbone=batch_norm).ok
