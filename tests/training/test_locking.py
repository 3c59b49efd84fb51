"""Pack files are changed by one command at a time."""

from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from paenet import training
from paenet.packfile import PackFileError
from paenet.training import RunError
from paenet.training.locking import changing
from tests.training import toys


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A pack with a dense base."""
    path = tmp_path / "pack.pae"
    training.init(path, toys.BACKBONE)
    return path


def locked(pack: Path) -> bool:
    """Whether someone is changing a pack."""
    try:
        with FileLock(pack.with_name(f".{pack.name}.lock"), timeout=0):
            return False
    except Timeout:
        return True


def test_a_pack_is_locked_while_it_is_changed_and_then_no_more(pack: Path) -> None:
    with changing(pack):
        assert locked(pack)
    assert not locked(pack)


def test_a_change_that_fails_lets_the_next_one_in(pack: Path) -> None:
    with pytest.raises(KeyboardInterrupt), changing(pack):
        raise KeyboardInterrupt
    assert not locked(pack)


def test_a_second_command_is_refused_and_the_first_keeps_the_lock(pack: Path) -> None:
    second = changing(pack)
    with changing(pack):
        with pytest.raises(RunError, match=f"{pack}: another command is changing it; wait"):
            second.__enter__()
        assert locked(pack)


def test_two_packs_in_one_folder_may_be_changed_at_once(pack: Path) -> None:
    other = pack.with_name("other.pae")
    training.init(other, toys.BACKBONE)
    with changing(pack), changing(other):
        assert locked(pack)
        assert locked(other)


@pytest.mark.parametrize("content", [None, b"no pack"])
def test_what_is_no_pack_is_named_and_not_locked(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "pack.pae"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PackFileError, match=str(path)), changing(path):
        pass
    assert not list(tmp_path.glob(".*.lock"))
