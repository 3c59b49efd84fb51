"""A file is replaced whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from paenet.files import replacing


def test_the_new_content_takes_the_old_ones_place_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_text("old")
    with replacing(path) as beside:
        beside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_process_publish_whole_files_only(tmp_path: Path) -> None:
    path = tmp_path / "record"
    with replacing(path) as one:
        one.write_text("the first, whole")
        with replacing(path) as other:
            other.write_text("the second, whole")
        assert path.read_text() == "the second, whole"
    assert path.read_text() == "the first, whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_writing_that_fails_leaves_the_old_file_and_nothing_beside(
    error: BaseException, tmp_path: Path
) -> None:
    path = tmp_path / "record"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise error

    with pytest.raises(type(error)):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_content_is_on_the_disk_before_the_name_and_the_name_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record"
    steps = []

    def fsync(descriptor: int) -> None:
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        steps.append(("folder" if folder else "file", path.exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with replacing(path) as beside:
        beside.write_text("new")
    assert steps == [("file", False), ("folder", True)]


def test_what_the_system_refuses_is_said_of_the_file_that_was_meant(tmp_path: Path) -> None:
    path = tmp_path / "record"
    with pytest.raises(OSError, match="full") as full, replacing(path):
        raise OSError(errno.ENOSPC, "full")  # as `write` raises it: no file is named
    assert full.value.filename == str(path)
    absent = tmp_path / "no" / "record"
    with pytest.raises(FileNotFoundError) as missing, replacing(absent) as beside:
        beside.write_text("new")
    assert missing.value.filename == str(absent)


def test_a_file_in_the_way_of_a_folder_is_said_of_the_file_that_was_meant(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    path = tmp_path / "taken" / "record"
    with pytest.raises(NotADirectoryError) as refused, replacing(path) as beside:
        beside.write_text("new")
    assert refused.value.filename == str(path)


def test_an_error_about_another_file_keeps_that_files_name(tmp_path: Path) -> None:
    source = tmp_path / "source"
    with pytest.raises(FileNotFoundError) as missing, replacing(tmp_path / "copy") as beside:
        beside.write_bytes(source.read_bytes())
    assert missing.value.filename == str(source)


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_who_may_read_the_old_file_may_read_the_new_one(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.touch()
    path.chmod(mode)
    with replacing(path) as beside:
        beside.write_text("new")
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_folder_that_cannot_be_flushed_is_no_failed_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record"
    fsync = os.fsync

    def refuse(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", refuse)
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"
