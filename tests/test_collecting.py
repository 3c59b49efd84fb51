"""Collections are put off, and come back as they were."""

import gc
from pathlib import Path

import pytest

from paenet.collecting import clearing_up, no_collections


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


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_what_was_freed_goes_back_to_the_system() -> None:
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1])

    with clearing_up():
        pass
    before = resident()
    with clearing_up():
        held: list[object] = [bytearray(60_000) for _ in range(1000)]  # small enough for the heap
        held.append(held)  # only a collection finds that it is no longer used
        last = bytearray(60_000)  # above them there
        assert resident() - before > 10_000  # pages of 4 kB
        del held
    assert resident() - before < 2_000
    assert last


def test_what_others_keep_from_collections_stays_kept() -> None:
    gc.freeze()
    try:
        with clearing_up():
            pass
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
    with clearing_up():
        pass
    assert gc.get_freeze_count() == 0
