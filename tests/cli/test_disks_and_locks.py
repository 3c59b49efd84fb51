"""A full disk, a place that is not ours, a second command: it is said, and nothing is lost."""

import errno
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from filelock import FileLock

from tests.cli.answers import OWN, refusal, small, sound
from tests.cli.conftest import Pae
from tests.training import toys


@pytest.fixture
def pack(pack: Path) -> Path:
    """A pack that learns quickly."""
    return small(pack)


@pytest.fixture
def mood(faces: Path, tmp_path: Path) -> Path:
    """The file of a task to be added."""
    path = tmp_path / "mood.yaml"
    path.write_text(yaml.safe_dump(toys.task("mood", faces)))
    return path


@pytest.fixture
def recipe(faces: Path, pae: Pae, tmp_path: Path) -> Path:
    """A recipe of two tasks, of which the run in `run/` beside it has learnt one."""
    path, tasks = tmp_path / "toy.yaml", [toys.task(name, faces) for name in "ab"]
    for count in (1, 2):
        path.write_text(yaml.safe_dump(toys.document(*tasks[:count])))
        if count == 1:
            assert pae("run", path, "--out", tmp_path / "run").code == 0
    return path


# ---------------------------------------------------------------- disks


def _full(*arguments: Any, **keywords: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("place", [(os, "fsync"), (Path, "write_bytes")], ids=["flush", "write"])
def test_a_full_disk_stops_a_run_which_goes_on_when_there_is_space(
    place: tuple[Any, str], recipe: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = recipe.parent / "run"
    before = (out / "pack.pae").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(*place, _full)
        done = pae("run", recipe, "--out", out)
    refusal(done, out, "No space left on device", "free some space")
    assert (out / "pack.pae").read_bytes() == before
    assert pae("run", recipe, "--out", out).code == 0
    assert list(toys.fingerprints(out / "pack.pae")) == ["a", "b"]


def test_a_full_disk_leaves_a_pack_as_it_was(
    pack: Path, mood: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pack.read_bytes()
    new = pack.with_name("new.pae")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        for arguments in (("remove", pack, "base"), ("add", pack, "--task", mood), ("init", new)):
            done = pae(*arguments, *OWN)
            refusal(done, pack.parent, "No space left on device", "free some space")
    assert pack.read_bytes() == before
    assert not new.exists()
    assert pae("add", pack, "--task", mood, *OWN).code == 0


def test_a_full_disk_behind_the_cache_is_said(
    recipe: Path, cache: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(cache)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: _full() if cache.exists() else None)
        done = pae("run", recipe, "--out", recipe.parent / "run")
    refusal(done, cache, "No space left on device", "name another cache in PAENET_CACHE")
    assert pae("run", recipe, "--out", recipe.parent / "run").code == 0


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a disk that is really full: {error}")
    if done.returncode != 0:
        pytest.skip(f"a disk that is really full: cannot mount one ({done.stderr.strip()})")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all the space there is."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(1024))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return path


def test_a_disk_that_is_really_full_loses_nothing(
    tiny_disk: Path, pack: Path, mood: Path, pae: Pae
) -> None:
    path = Path(shutil.copy(pack, tiny_disk))
    before, filler = path.read_bytes(), fill(tiny_disk)
    new = ("init", tiny_disk / "new.pae", *OWN)
    more = ("add", path, "--task", mood, *OWN)
    for arguments in (new, more, ("remove", path, "base", *OWN)):
        refusal(pae(*arguments), tiny_disk, "No space left on device", "free some space")
    assert path.read_bytes() == before
    filler.unlink()
    assert not [file for file in tiny_disk.rglob("*") if file.name.endswith((".tmp", "new.pae"))]
    assert pae(*new).code == pae(*more).code == 0
    assert sound(path)


# ---------------------------------------------------------------- places that are not ours


def test_a_folder_that_is_a_file_is_named_and_stays_what_it_is(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("a letter")
    refusal(pae("init", file / "new.pae", *OWN), file, "Not a directory", "choose a")
    for out in (file, file / "run"):
        refusal(pae("run", recipe, "--out", out), f"{out}: there is a file in its way; choose")
    assert file.read_text() == "a letter"


def test_what_must_not_be_written_is_said(
    recipe: Path, pack: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated, because tests may run as a user who may write anywhere.
    opened, before, new = Path.open, pack.read_bytes(), recipe.parent / "new"

    def refuse(self: Path, mode: str = "r", *more: Any, **keywords: Any) -> Any:
        if mode[0] in "wa":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self))
        return opened(self, mode, *more, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", refuse)
        done = pae("remove", pack, "base", *OWN)
        refusal(done, f"{pack}: cannot be written (Permission denied); choose a folder that you")
        done = pae("run", recipe, "--out", new)
        refusal(done, f"{new}/recipe.yaml: cannot be written (Permission denied); ", "permission")
    assert pack.read_bytes() == before


# ---------------------------------------------------------------- two at once


def test_a_second_run_in_one_directory_is_refused_and_may_come_later(
    recipe: Path, pae: Pae
) -> None:
    out = recipe.parent / "run"
    before = (out / "pack.pae").read_bytes()
    with FileLock(out / ".lock"):
        done = pae("run", recipe, "--out", out)
    refusal(done, f"{out}: another run is at work here; wait for it, or choose another directory")
    assert (out / "pack.pae").read_bytes() == before
    assert pae("run", recipe, "--out", out).code == 0


@pytest.mark.parametrize("name", ["add", "remove"])
def test_a_pack_is_changed_by_one_command_at_a_time(
    name: str, pack: Path, mood: Path, pae: Pae
) -> None:
    before = pack.read_bytes()
    arguments = {"add": ("add", pack, "--task", mood), "remove": ("remove", pack, "base")}[name]
    with FileLock(pack.with_name(f".{pack.name}.lock")):
        done = pae(*arguments, *OWN)
        refusal(done, f"{pack}: another command is changing it; wait for that one")
        assert pack.read_bytes() == before
        assert pae("info", pack, *OWN).code == 0  # who only reads need not wait
    assert pae(*arguments, *OWN).code == 0
    assert sound(pack)
