"""A new pack holds the given network as its first task, and no file is ever written over."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from paenet import packfile
from tests.cli.answers import OWN, document, refusal, sound
from tests.cli.conftest import Pae
from tests.training import toys


def test_a_pack_with_a_dense_base_is_made_and_shown(pae: Pae, tmp_path: Path) -> None:
    path = tmp_path / "pack.pae"
    done = pae("init", path, *OWN)
    assert done.code == 0
    assert done.err == ""
    assert str(path) in done.out
    assert "658 of 658 weights are owned, 0 are free" in done.out
    pack = packfile.read(path, backbone=toys.tiny).pack
    assert list(pack.tasks) == [pack.base] == ["base"]
    assert sound(path)


def test_json_says_what_info_says(pae: Pae, tmp_path: Path) -> None:
    path = tmp_path / "pack.pae"
    made = document(pae("init", path, *OWN, "--json"))
    assert made == document(pae("info", path, *OWN, "--json"))
    assert made["tasks"]["base"]["kind"] == "identity"
    assert made["weights"] is None


def test_a_backbone_by_name_needs_no_code_to_be_read(pae: Pae, tmp_path: Path) -> None:
    path = tmp_path / "pack.pae"
    made = document(pae("init", path, "--backbone", "small", "--json"))
    assert made["backbone"] == {"name": "small", "arguments": {}}
    assert document(pae("info", path, "--json")) == made


def test_a_share_of_the_smallest_weights_is_free_right_away(pae: Pae, tmp_path: Path) -> None:
    path = tmp_path / "pack.pae"
    made = document(pae("init", path, *OWN, "--release", "0.25", "--json"))
    assert made["free"] == pytest.approx(0.25 * made["total"], abs=4)  # rounded in each layer
    assert made["owned"] + made["free"] == made["total"] == 658


def test_the_first_task_may_have_a_name(pae: Pae, tmp_path: Path) -> None:
    made = document(pae("init", tmp_path / "pack.pae", *OWN, "--name", "faces", "--json"))
    assert list(made["tasks"]) == ["faces"]


def test_trained_weights_are_taken_over_and_named(pae: Pae, tmp_path: Path) -> None:
    network, file = toys.tiny(), tmp_path / "given.safetensors"
    save_file(network.state_dict(), file)
    path = tmp_path / "pack.pae"
    made = document(pae("init", path, *OWN, "--weights", file, "--json"))
    assert made["weights"]["name"] == "given.safetensors"
    assert len(made["weights"]["sha256"]) == 64
    layers = packfile.read(path, backbone=toys.tiny).pack.layers
    assert layers["0"].theta.equal(network.get_submodule("0").weight)


def test_a_file_that_exists_is_not_written_over(pack: Path, pae: Pae) -> None:
    before = pack.read_bytes()
    refusal(pae("init", pack, *OWN), f"{pack}: exists already; remove it, or choose another name")
    assert pack.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backbone", "smal"], "backbone 'smal' does not exist; did you mean 'small'?"),
        (["--backbone", "tests.training.toys:tny"], "'tny' is missing; did you mean 'tiny'?"),
        (["--backbone", "no_such_module:net"], "importing 'no_such_module' failed"),
        ([*OWN, "--name", "a b"], "'a b': give a letter, then letters, digits, - and _"),
        ([*OWN, "--release", "1"], "'--release': Input should be less than or equal to 0.99"),
        ([*OWN, "--weights", "no.safetensors"], "no.safetensors: there is no such file; give"),
    ],
)
def test_what_cannot_be_made_is_said_and_no_file_is_left(
    arguments: list[str], message: str, pae: Pae, tmp_path: Path
) -> None:
    refusal(pae("init", tmp_path / "pack.pae", *arguments), message)
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_network_are_refused_and_named(pae: Pae, tmp_path: Path) -> None:
    file = tmp_path / "wide.safetensors"
    save_file(toys.tiny(2.0).state_dict(), file)
    refusal(pae("init", tmp_path / "pack.pae", *OWN, "--weights", file), file)
    assert list(tmp_path.iterdir()) == [file]
