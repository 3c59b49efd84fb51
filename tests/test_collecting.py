"""Collections are put off, and come back as they were."""

import gc

import pytest

from paenet.collecting import no_collections


def fail() -> None:
    with no_collections():
        assert not gc.isenabled()
        raise ValueError("no")


def test_collections_come_back_even_after_an_error() -> None:
    with pytest.raises(ValueError, match="no"):
        fail()
    assert gc.isenabled()


def test_who_has_none_gets_none() -> None:
    gc.disable()
    try:
        with no_collections():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
