"""What runs keep for the next one is told, and removed when asked."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.cli.answers import document, refusal
from tests.cli.conftest import Pae


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    for kind, size in (("images", 100), ("activations/key", 2000), ("weights", 50)):
        (folder / kind).mkdir(parents=True)
        (folder / kind / "file.npy").write_bytes(bytes(size))
    monkeypatch.setenv("PAENET_CACHE", str(folder))
    return folder


def test_info_tells_what_each_kind_takes(cache: Path, pae: Pae) -> None:
    found = document(pae("cache", "info", "--json"))
    assert found == {
        "folder": str(cache),
        "bytes": {"images": 100, "activations": 2000, "references": 0},
    }
    assert "2.0 kB" in pae("cache", "info").out


def test_files_that_a_run_renames_meanwhile_are_no_obstacle(
    cache: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    (cache / "images" / ".file.npy.1.tmp").write_bytes(b"half")
    (cache / "images" / "gone.npy").symlink_to(cache / "nowhere")  # listed, and not there
    stat = os.stat

    def once(path: Any, **keys: Any) -> os.stat_result:
        found = stat(path, **keys)
        if str(path).endswith(".tmp"):
            Path(path).unlink()
        return found

    monkeypatch.setattr(os, "stat", once)
    assert document(pae("cache", "info", "--json"))["bytes"]["images"] in (100, 104)


def test_clear_removes_a_kind_and_nothing_else(cache: Path, pae: Pae) -> None:
    assert document(pae("cache", "clear", "activations", "--json")) == {
        "freed": {"activations": 2000}
    }
    assert not (cache / "activations").exists()
    assert (cache / "images" / "file.npy").exists()


def test_clear_removes_all_that_can_be_made_again_but_no_download(cache: Path, pae: Pae) -> None:
    assert pae("cache", "clear").out == "2.1 kB are free again.\n"
    assert [path.name for path in cache.iterdir()] == ["weights"]


def test_what_the_cache_does_not_keep_is_refused(cache: Path, pae: Pae) -> None:
    refusal(pae("cache", "clear", "image"), "'image'", "did you mean 'images'")
    assert (cache / "images").exists()
