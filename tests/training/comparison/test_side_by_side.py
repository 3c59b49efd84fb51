"""Runs of a comparison in processes of their own: what they tell, and how they end."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context
from pathlib import Path
from typing import Any

import pytest
import torch

from paenet import training
from paenet.errors import PaenetError
from paenet.training import RunError, Silent
from paenet.training.comparison import side_by_side
from paenet.training.comparison.course import Course
from paenet.training.comparison.side_by_side import finished
from paenet.training.records.progress import Reporter
from tests.training import toys
from tests.training.rivals.test_rivals import two


@dataclass(frozen=True)
class Acting(Course):
    """A run that only does what its method says."""

    def outcomes(self, reporter: Reporter) -> list[dict[str, Any]]:
        if self.method == "fails":
            raise RunError("nothing works")
        if self.method == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.method == "errs":
            raise KeyError("a defect")
        if self.method == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "pack.pae")
        if self.method == "lingers":
            (self.folder / "pid").write_text(str(os.getpid()))
            time.sleep(600)
        reporter.say("half-way")
        return [{"threads": torch.get_num_threads()}]


@pytest.fixture
def act(faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes runs that act; in processes that need not import torch, where the system has them."""
    if "fork" in get_all_start_methods() and not torch.cuda.is_available():
        monkeypatch.setattr(side_by_side, "_PROCESSES", get_context("fork"))

    def make(method: str) -> Course:
        return Acting(method, 1.0, (two(faces),), tmp_path, tmp_path, None, None)

    return make


def test_two_workers_find_what_one_finds(faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(*(toys.task(task, faces) for task in "abc"))
    threads = torch.get_num_threads()
    found = {}
    try:
        torch.set_num_threads(1)  # as each of two workers has on two threads, or on one
        for workers in (1, 2):
            found[workers] = training.compare(
                recipe,
                ["pae", "finetune"],
                tmp_path / str(workers),
                orders=["abc", "acb"],
                workers=workers,
                cache=tmp_path / "cache",
            )
    finally:
        torch.set_num_threads(threads)
    for one, two_ in zip(*(report["methods"].values() for report in found.values()), strict=True):
        assert not two_["failed"]
        for mine, theirs in zip(one["runs"], two_["runs"], strict=True):
            for key in set(mine) - {"seconds"}:
                assert mine[key] == theirs[key]


def test_results_are_told_and_threads_are_shared(act: Any) -> None:
    heard = toys.Heard()
    ends = [end for _, end in finished([act("one"), act("other")], 2, heard)]
    share = max(1, torch.get_num_threads() // 2)
    assert ends == [[{"threads": share}]] * 2
    assert {
        f"{name}, seed 0: a, b{said}" for name in ("one", "other") for said in ("", ": half-way")
    } <= set(heard.lines)


def test_a_run_that_fails_or_dies_is_named_and_the_others_go_on(act: Any) -> None:
    courses = [act("dies"), act("fails"), act("works")]
    ends = {course.method: end for course, end in finished(courses, 2, Silent())}
    assert isinstance(ends["dies"], PaenetError)
    assert "its process was killed, perhaps for want of memory" in str(ends["dies"])
    assert str(ends["fails"]) == "nothing works"
    assert isinstance(ends["works"], list)


def test_what_the_system_refuses_ends_all_as_it_does_without_workers(act: Any) -> None:
    for workers in (1, 2):
        with pytest.raises(OSError, match=r"No space left on device: 'pack\.pae'"):
            list(finished([act("full"), act("works")], workers, Silent()))


def test_a_defect_ends_all_as_it_does_without_workers(act: Any) -> None:
    with pytest.raises(KeyError, match="a defect"):
        list(finished([act("errs"), act("works")], 1, Silent()))
    with pytest.raises(RuntimeError, match="errs, seed 0: a, b: ended in a defect"):
        list(finished([act("errs"), act("works")], 2, Silent()))


def test_runs_end_with_the_command(act: Any, tmp_path: Path) -> None:
    ends = finished([act("works"), act("lingers")], 2, Silent())
    assert isinstance(ends, Iterator)
    next(ends)
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    ends.close()  # as a Ctrl-C does
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
