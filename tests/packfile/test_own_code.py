"""A backbone of the user's own is built by the code that the user names."""

from pathlib import Path

import pytest

from paenet.backbones import BackboneError
from paenet.packfile import BackboneSpec, own_builder, write
from tests.packfile.files import SPEC
from tests.packing.networks import batch_norm, packed, teach


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pack = packed(batch_norm)
    teach(pack, "a")
    write(pack, tmp_path / "pack.pae", backbone=SPEC)
    return tmp_path / "pack.pae"


def test_the_users_code_builds_at_the_width_that_is_asked_for(file: Path) -> None:
    build = own_builder(file, SPEC.name)
    assert build is not None
    shapes = {key: value.shape for key, value in build(2.0).state_dict().items()}
    assert shapes == {key: value.shape for key, value in batch_norm(2.0).state_dict().items()}
    assert shapes != {key: value.shape for key, value in batch_norm(1.0).state_dict().items()}


def test_the_arguments_are_those_of_the_file(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "a")
    write(pack, tmp_path / "pack.pae", backbone=BackboneSpec(SPEC.name, {"depth": 3}))
    build = own_builder(tmp_path / "pack.pae", SPEC.name)
    assert build is not None
    with pytest.raises(BackboneError, match="depth"):
        build(1.0)


def test_without_a_name_the_file_is_left_to_say_what_builds_it(file: Path) -> None:
    assert own_builder(file, None) is None


def test_code_that_is_not_there_is_named_with_what_is_near(file: Path) -> None:
    with pytest.raises(BackboneError, match=r"'batch_nrm' is missing; did you mean 'batch_norm'\?"):
        own_builder(file, "tests.packing.networks:batch_nrm")
