"""Whatever happens to a writer, the old file is there, or the new one; never a third thing."""

import errno
import io
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from paenet.packfile import PackFileError, container, describe, read
from paenet.packing import Pack
from tests.packfile.files import Document, Frames, saved, taken_apart, tiny

PIECE = 512  # bytes that a disk takes at a time
KILLED = 9
PATIENCE = 60  # seconds until a child ends that hangs: a fork may, where a thread held a lock

forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


class Killer:
    """Ends the process at one of the steps that it counts."""

    def __init__(self, last: int) -> None:
        self._left = last

    def step(self) -> None:
        if self._left == 0:
            os._exit(KILLED)
        self._left -= 1

    def at(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with a step before and one after it."""

        def stepping(*args: Any) -> Any:
            self.step()
            result = function(*args)
            self.step()
            return result

        return stepping

    def open(self, path: Path, mode: str) -> Any:
        """A file that is written without a buffer, piece after piece, a step before each."""
        killer = self

        class Slow(io.FileIO):
            def write(self, data: Any) -> int:
                for start in range(0, len(data), PIECE):
                    killer.step()
                    super().write(data[start : start + PIECE])
                return len(data)

        return Slow(path, mode) if mode == "wb" else io.FileIO(path, mode)


def in_a_child(body: Callable[[], None]) -> int:
    """The exit code of a process that does something; 1 where it raises."""
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)
        code = 1
        try:
            body()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return saved(tiny(), tmp_path)


@pytest.fixture
def another(tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, Frames]:
    """Another pack's file, taken apart."""
    pack = tiny()
    pack.remove("b")
    pack.tasks["a"].notes = {"long": "x" * 2000}
    return taken_apart(saved(pack, tmp_path_factory.mktemp("another")))


@forks
def test_a_writer_that_is_killed_at_any_step_leaves_the_old_file_or_the_new(
    path: Path, another: tuple[Document, Frames]
) -> None:
    old = path.read_bytes()
    expected = path.with_name("expected.pae")
    container.save(expected, *another)
    new = expected.read_bytes()
    found = []
    for last in range(1000):

        def write(last: int = last) -> None:
            killer = Killer(last)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(os, "fsync", killer.at(os.fsync))
                patch.setattr(Path, "replace", killer.at(Path.replace))
                patch.setattr(Path, "open", lambda self, mode="r": killer.open(self, mode))
                container.save(path, *another)

        path.write_bytes(old)
        code = in_a_child(write)
        assert code in (0, KILLED)
        found.append(path.read_bytes())
        if code == 0:
            break
    kept = found.index(new)
    assert kept > len(new) // PIECE  # it was killed within the content too
    assert found == [old] * kept + [new] * (len(found) - kept)
    container.save(path, *another)  # what a killed writer left beside is in nobody's way
    assert path.read_bytes() == new


@forks
def test_readers_during_a_rewrite_see_one_or_the_other(
    path: Path, another: tuple[Document, Frames]
) -> None:
    one, other = taken_apart(path), another

    def write() -> None:
        for _ in range(30):
            container.save(path, *other)
            container.save(path, *one)

    child = os.fork()
    if child == 0:
        try:
            write()
        finally:
            os._exit(0)
    expected = [{t["name"]: t["fingerprint"] for t in d["tasks"]} for d, _ in (one, other)]
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        pack = read(path, backbone=nn.Linear(2, 2)).pack
        assert {name: pack.fingerprint(name) for name in pack.tasks} in expected
        assert describe(path)["tasks"] in (one[0]["tasks"], other[0]["tasks"])


def test_a_file_that_was_opened_stays_what_it_was(
    path: Path, another: tuple[Document, Frames]
) -> None:
    with container.opened(path) as archive:
        before = taken_apart(path)
        container.save(path, *another)
        archive.check()
        assert archive.document["tasks"] == before[0]["tasks"] != another[0]["tasks"]
    assert describe(path)["tasks"] == another[0]["tasks"]


class _Failing:
    """A file of which the disk takes `room` bytes."""

    def __init__(self, file: Any, room: int, code: int) -> None:
        self._file, self._room, self._code = file, room, code

    def __enter__(self) -> "_Failing":
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def write(self, data: Any) -> None:
        self._file.write(bytes(data)[: self._room])
        self._room -= len(data)
        if self._room < 0:
            raise OSError(self._code, os.strerror(self._code))


@pytest.mark.parametrize(
    ("code", "mend"), [(errno.ENOSPC, "free some space"), (errno.EIO, "see to the disk")]
)
@pytest.mark.parametrize("room", [0, 100, 600])
def test_a_full_disk_leaves_the_old_file(
    room: int, code: int, mend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tiny()
    path = saved(pack, tmp_path)
    before = path.read_bytes()
    pack.remove("b")
    opened = Path.open

    def failing(self: Path, mode: str = "r", **more: Any) -> Any:
        file = opened(self, mode, **more)
        return _Failing(file, room, code) if mode == "wb" else file

    monkeypatch.setattr(Path, "open", failing)
    with pytest.raises(PackFileError, match=mend) as caught:
        saved(pack, tmp_path)
    monkeypatch.undo()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_disk_that_fails_at_the_last_moment_leaves_the_old_file(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = tiny()
    path = saved(pack, tmp_path)
    before = path.read_bytes()
    pack.remove("b")

    def fail(*_: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(*((os, "fsync", fail) if step == "fsync" else (Path, "replace", fail)))
    with pytest.raises(PackFileError, match="free some space"):
        saved(pack, tmp_path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@forks
def test_a_file_that_may_not_grow_leaves_the_old_one(path: Path) -> None:
    before = path.read_bytes()

    def write() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (PIECE, resource.RLIM_INFINITY))
        with pytest.raises(PackFileError, match="see to the disk"):
            saved(tiny(), path.parent)

    assert in_a_child(write) == 0
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
        pytest.skip("a disk of its own: mounting is not permitted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_is_really_full_leaves_the_old_file(small_disk: Path) -> None:
    path = saved(tiny(), small_disk)
    before = path.read_bytes()
    pack = Pack(nn.Linear(200, 200))
    pack.learn("a", head=nn.Identity()).freeze()
    with pytest.raises(PackFileError, match="free some space"):
        saved(pack, small_disk)
    assert path.read_bytes() == before
    assert list(small_disk.iterdir()) == [path]
