"""What a file holds can be read by this version or is refused, and runs nothing."""

import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paenet import backbones
from paenet.packfile import (
    BackboneSpec,
    CodeNeededError,
    PackFileError,
    PackFileWarning,
    describe,
    read,
    unchanged,
    write,
)
from paenet.packing import Pack
from tests.packfile.files import SPEC, changed, grown, saved, tiny
from tests.packing.networks import batch_norm


def test_a_backbone_of_ours_needs_nothing_but_the_file(tmp_path: Path) -> None:
    pack = Pack(lambda width: backbones.create("small", width=width, features=4))
    pack.learn("a", head=nn.Linear(4, 2)).freeze()
    path = saved(pack, tmp_path, BackboneSpec("small", {"features": 4}))
    file = read(path)
    assert file.pack.fingerprint("a") == pack.fingerprint("a")
    x = torch.ones(2, 3, 64, 64)
    assert torch.equal(file.pack.materialize("a")(x), pack.materialize("a")(x))
    learner = file.pack.learn("b", head=nn.Linear(4, 2))
    assert learner(x).shape == (2, 2)


def test_reading_draws_no_random_numbers(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    before = torch.get_rng_state()
    read(path, backbone=batch_norm)
    assert torch.equal(torch.get_rng_state(), before)


def test_code_that_a_file_names_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile_code.py").write_text("raise SystemExit('was run')")
    monkeypatch.syspath_prepend(tmp_path)
    path = saved(tiny(), tmp_path, BackboneSpec("hostile_code:build"))
    describe(path)
    with pytest.raises(CodeNeededError, match="'hostile_code:build', code that a file may not run"):
        read(path)
    assert "hostile_code" not in sys.modules
    assert set(read(path, backbone=nn.Linear(2, 2)).pack.tasks) == {"a", "b"}


def test_an_unknown_backbone_is_named_with_the_nearest(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path, BackboneSpec("smal"))
    with pytest.raises(PackFileError, match="'smal' does not exist; did you mean 'small'"):
        read(path)


def test_another_backbone_than_the_pack_was_made_of_is_refused(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path)
    with pytest.raises(PackFileError, match=r"tensor 'theta\.' is float32 \[2, 2\], and the netw"):
        read(path, backbone=nn.Linear(2, 3))
    with pytest.raises(PackFileError, match=r"tensor 'theta\.0' is missing"):
        read(path, backbone=nn.Sequential(nn.Linear(2, 2)))


def test_arguments_that_the_backbone_does_not_take_are_said(tmp_path: Path) -> None:
    for arguments in ({"depth": 3}, {"features": -1}, {"width": 2.0}, {"features": 10**15}):
        path = saved(tiny(), tmp_path, BackboneSpec("small", arguments))
        with pytest.raises(PackFileError, match=r"pack\.pae: ") as caught:
            read(path)
        assert "\n" not in str(caught.value)


def test_a_module_has_no_more_than_one_width(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    with pytest.raises(PackFileError, match="hand over a function of the width"):
        read(path, backbone=batch_norm(1.0))


def test_a_builder_that_fails_is_named_with_its_reason(tmp_path: Path) -> None:
    def broken(width: float) -> nn.Module:
        raise ZeroDivisionError("no such thing")

    with pytest.raises(PackFileError, match=r"cannot be built at width 1\.0 \(no such thing\)"):
        read(saved(tiny(), tmp_path), backbone=broken)


def test_keys_of_a_newer_minor_version_are_passed_over_with_a_warning(tmp_path: Path) -> None:
    def newer(document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        document["format"] = "1.7"
        document["stems"] = {"a": "layer3"}
        document["tasks"][1]["grid"] = "int8"
        document["tasks"][1]["codings"]["more"] = "less"

    pack = tiny()
    path = changed(saved(pack, tmp_path), newer)
    keys = r"stems, tasks\.1\.grid, tasks\.1\.codings\.more"
    with pytest.warns(PackFileWarning, match=rf"pack\.pae: format 1\.7 .*: {keys};"):
        file = read(path, backbone=nn.Linear(2, 2))
    assert file.pack.fingerprint("b") == pack.fingerprint("b")


def test_a_file_of_this_version_gives_no_warning(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path, backbone=nn.Linear(2, 2))


def test_a_newer_major_version_is_refused_by_name(tmp_path: Path) -> None:
    def newer(document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        document["format"] = "2.1"

    path = saved(tiny(), tmp_path)
    # `changed` writes what it is given, so that the digest is right and only the version strange.
    path = changed(path, newer)
    for function in (read, describe):
        with pytest.raises(PackFileError, match=r"has format 2\.1, .* reads 1\.x; update paenet"):
            function(path)


@pytest.mark.parametrize("name", sorted(backbones.BACKBONES))
def test_every_backbone_of_ours_can_be_built_without_values(name: str) -> None:
    with torch.device("meta"):
        network = backbones.create(name)
    stray = {
        key: value
        for module in network.modules()
        for key, value in vars(module).items()
        if isinstance(value, Tensor)
    }
    assert not stray, "a tensor outside the state dict would lose its value"


def test_what_was_read_can_be_written_elsewhere(tmp_path: Path) -> None:
    file = read(saved(tiny(), tmp_path), backbone=nn.Linear(2, 2))
    copy = tmp_path / "copy.pae"
    write(file.pack, copy, backbone=file.spec, about=file.about)
    assert copy.read_bytes() == (tmp_path / "pack.pae").read_bytes()
    assert file.spec == SPEC


def test_what_is_taken_in_several_steps_is_of_one_file(tmp_path: Path) -> None:
    path = saved(tiny(), tmp_path)
    taken = []

    def take(document: dict[str, Any]) -> list[str]:
        names = [task["name"] for task in document["tasks"]]
        if not taken:
            smaller = tiny()
            smaller.remove("b")
            write(smaller, path, backbone=SPEC)
        taken.append(names)
        if "b" in names:
            raise PackFileError("has no task 'b'")
        return names

    assert unchanged(path, take) == ["a"]
    assert taken == [["a", "b"], ["a"]]


def test_what_cannot_be_taken_of_a_file_that_stays_is_refused(tmp_path: Path) -> None:
    taken = []

    def take(document: dict[str, Any]) -> None:
        taken.append(document)
        raise PackFileError("has no task 'z'")

    with pytest.raises(PackFileError, match="has no task 'z'"):
        unchanged(saved(tiny(), tmp_path), take)
    assert len(taken) == 1
