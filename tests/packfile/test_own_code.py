"""A backbone of the user's own is built by the code that the user names."""

from pathlib import Path

import pytest
from torch import nn

from paenet import training
from paenet.backbones import BackboneError
from paenet.packfile import own_builder
from tests.training import toys


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with a dense base."""
    path = tmp_path / "pack.pae"
    training.init(path, toys.BACKBONE)
    return path


def test_the_users_code_builds_with_the_arguments_of_the_file(pack: Path) -> None:
    build = own_builder(pack, toys.BACKBONE)
    assert build is not None
    first = build(2.0).get_submodule("0")
    assert isinstance(first, nn.Conv2d)
    assert first.out_channels == 12


def test_without_a_name_the_file_is_left_to_say_what_builds_it(pack: Path) -> None:
    assert own_builder(pack, None) is None


def test_code_that_is_not_there_is_named_with_what_is_near(pack: Path) -> None:
    with pytest.raises(BackboneError, match=r"'tny' is missing; did you mean 'tiny'\?"):
        own_builder(pack, "tests.training.toys:tny")
