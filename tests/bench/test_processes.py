"""What processes of their own tell is told, and what they fail at is no gap in the figures."""

from pathlib import Path

import pytest

from paenet import packfile
from paenet.bench import processes
from paenet.bench.sample import sample
from paenet.packfile import PackFileError


@pytest.mark.slow
def test_loading_peaks_at_about_what_is_loaded(tmp_path: Path) -> None:
    held, path = sample("small", None, (0.4, 0.2)), tmp_path / "pack.pae"
    packfile.write(held.pack, path, backbone=held.spec)
    for task in (None, "task2"):
        peak = processes.peak_of_loading(path, task)
        assert peak is None or peak > 0
    with pytest.raises(PackFileError, match=f"^{path}: cannot be measured .*has no task 'task3'"):
        processes.peak_of_loading(path, "task3")


@pytest.mark.parametrize("what", ["/proc/self/status", "/proc/self/clear_refs", "VmRSS"])
def test_a_system_that_does_not_tell_leaves_a_gap(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, path = sample("small", None, (0.4,)), tmp_path / "pack.pae"
    packfile.write(held.pack, path, backbone=held.spec)
    assert what in processes._LOADING
    monkeypatch.setattr(processes, "_LOADING", processes._LOADING.replace(what, f"{what}-absent"))
    assert processes.peak_of_loading(path, None) is None


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("import sys; print('first', file=sys.stderr); sys.exit('the last line')", "the last line"),
        ("raise ValueError('no such task')", "ValueError: no such task"),
        ("import os; os._exit(3)", "exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "exit code -9"),
    ],
)
def test_a_process_that_fails_is_told_of_with_its_reason(program: str, said: str) -> None:
    with pytest.raises(PackFileError, match=f"^a.pae: cannot be measured .*: {said}$"):
        processes._told(program, "a.pae")
