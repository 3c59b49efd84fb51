"""A run killed at any moment and started again ends as one that was never killed."""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from torch import nn

from paenet import packfile, training
from paenet.training.algorithm import addition, stages
from paenet.training.algorithm.stages import TaskTraining
from paenet.training.examples.data import Split
from paenet.training.examples.material import Material
from paenet.training.examples.sources import Source
from paenet.training.records.journal import Journal
from paenet.training.records.progress import Silent
from tests.training import toys

ROOT = Path(__file__).resolve().parents[2]
TOUCHES = ("open", "os.rename", "os.remove", "os.truncate", "os.mkdir")  # Python's audit events
PATIENCE = 300  # seconds until a process ends that hangs: a fork may, where a thread held a lock

# A process for every kill, and torch is imported once.
forks = pytest.mark.skipif(
    sys.platform != "linux" or torch.cuda.is_available(),
    reason="torch forks safely on Linux, without CUDA",
)


@dataclass(frozen=True)
class Whole:
    """A run that nothing interrupted: its recipe, what it left, how long it took."""

    recipe: training.Recipe
    left: dict[str, Any] = field(repr=False)
    seconds: float


@pytest.fixture(scope="module")
def whole(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """All that a run may do: a pruning undone, one after it that holds, values on a grid,
    channels given up, a goal that is missed, filters."""
    settings = {"classes": ["dark", "light"], "label": "shade", "dropout": 0.3}
    first = toys.task(
        "a",
        faces,
        goal={"within": 0.5},
        settings=settings,
        prune={"to": 0.8, "stages": 2, "epochs": 0.5, "bisections": 1},
        values={"grid": "codebook4", "epochs": 0.5},
    )
    second = toys.task(
        "b",
        faces,
        goal={"at_least": 1.5, "missed": "keep"},
        settings=settings,
        prune={"to": 0.5, "stages": 1, "epochs": 0.5},
    )
    third = toys.task(
        "c",
        faces,
        goal={"at_least": 0.08},
        settings=settings,
        channels={"to": 0.8, "stages": 2, "epochs": 0.5},
    )
    recipe, folder = toys.recipe(first, third, second), tmp_path_factory.mktemp("whole") / "run"
    started = time.monotonic()
    with _judged_by_size():
        learn(recipe, folder)
    left = outcome(folder)
    assert [key for key, _ in left["record"]] == [
        "run", "a/reference-train", "a/reference", "a/train", "a/prune-1", "a/prune-2",
        "a/codebook4", "a/rest", "a/learnt",
        "c/train", "c/channels-1", "c/channels-2", "c/prune-1", "c/learnt",
        "b/train", "b/widen-1", "b/prune-1", "b/learnt",
    ]  # fmt: skip
    return Whole(recipe, left, time.monotonic() - started)


@pytest.fixture
def judged_by_size() -> Iterator[None]:
    """The more weights, the higher the accuracy: a pruning may miss. The rest is measured."""
    with _judged_by_size():
        yield


@contextmanager
def _judged_by_size() -> Iterator[None]:
    measure = Material.measure

    def kept(
        self: Material, network: nn.Module, split: Split, source: Source | None = None
    ) -> dict[str, dict[str, Any]]:
        return {**measure(self, network, split, source), **toys.measured(toys.kept(network))}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Material, "measure", kept)
        yield


def learn(recipe: training.Recipe, folder: Path, reporter: Silent | None = None) -> None:
    """A run with a cache of its own."""
    training.run(recipe, folder, cache=folder.parent / "cache", reporter=reporter)


def survives(recipe: training.Recipe, folder: Path, reporter: Silent | None = None) -> bool:
    """Whether a run came to its end."""
    try:
        learn(recipe, folder, reporter)
    except toys.Killed:
        return False
    return True


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run leaves, but for the clock."""
    record = [
        (key, {name: value for name, value in entry.items() if name not in ("time", "seconds")})
        for key, entry in toys.entries(folder).items()
    ]
    pack = folder / "pack.pae"
    return {
        "files": sorted(path.name for path in folder.iterdir()),
        "record": record,
        "fingerprints": toys.fingerprints(pack),
        "pack": hashlib.sha256(pack.read_bytes()).hexdigest(),
    }


# ---------------------------------------------------------------- at precise places


@pytest.mark.usefixtures("judged_by_size")
def test_a_run_killed_after_every_other_step_goes_on(whole: Whole, tmp_path: Path) -> None:
    assert kills_survived(whole.recipe, tmp_path / "run") > 8
    assert outcome(tmp_path / "run") == whole.left


def kills_survived(recipe: training.Recipe, folder: Path) -> int:
    """How often a run had to be started again that was killed after every other step."""

    class Mortal(Silent):
        left = 2  # the checkpoint of a step is behind its report

        def advance(self, loss: float) -> None:
            self.left -= 1
            if self.left == 0:
                raise toys.Killed

    kills = 0
    while not survives(recipe, folder, Mortal()):
        kills += 1
        assert kills < 40, "there are no more steps than that"
    return kills


def test_a_task_that_picks_goes_on_with_the_scores_that_it_had(faces: Path, tmp_path: Path) -> None:
    plan = {
        "budget": {"epochs": 1, "batch": 16, "rate": 0.05},  # scores move by a tenth of it
        "prune": {"to": 0.5, "stages": 1, "epochs": 0.5},
    }
    tasks = (toys.task(name, faces, **plan) for name in ("a", "b"))
    recipe = toys.recipe(*tasks, method="cpg")
    learn(recipe, tmp_path / "whole")
    pack = packfile.read(tmp_path / "whole" / "pack.pae", backbone=toys.tiny).pack
    picked = sum(int(bits.sum()) for bits in (pack.tasks["b"].picked or {}).values())
    assert 0 < picked < pack.weights("a")
    assert kills_survived(recipe, tmp_path / "run") > 3
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def _task_count(pack: Any, path: Path, **about: Any) -> int:
    return len(pack.tasks)


# What a run keeps or drops, and what tells one such moment from another.
PLACES: dict[str, tuple[Any, str, Callable[..., object]]] = {
    "record": (Journal, "write", lambda journal, key, **result: key),
    "pack": (addition.packfile, "write", _task_count),
    "state": (stages, "save_state", lambda path, *rest: path.name),
    "states": (addition, "forget_states", lambda session, task: task),
    "restore": (TaskTraining, "restore", lambda stages, key: key),
    "forget": (TaskTraining, "forget", lambda stages, key: key),
}


@pytest.mark.parametrize(
    ("place", "least"),
    [("record", 22), ("pack", 4), ("state", 14), ("states", 4), ("restore", 2), ("forget", 6)],
)
@pytest.mark.usefixtures("judged_by_size")
def test_a_run_killed_before_and_after_all_that_it_keeps_goes_on(
    place: str, least: int, whole: Whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    holder, name, telling = PLACES[place]
    function, died = getattr(holder, name), set()

    def die(*moment: object) -> None:
        if moment not in died:
            died.add(moment)
            raise toys.Killed

    def dying(*arguments: Any, **keywords: Any) -> Any:
        moment = telling(*arguments, **keywords)
        die("before", moment)
        result = function(*arguments, **keywords)
        die("after", moment)
        return result

    monkeypatch.setattr(holder, name, dying)
    while not survives(whole.recipe, tmp_path / "run"):
        assert len(died) < 100
    assert len(died) >= least
    assert outcome(tmp_path / "run") == whole.left


# ---------------------------------------------------------------- by the system


def start(
    recipe: training.Recipe, folder: Path, touches: int | None = None
) -> multiprocessing.process.BaseProcess:
    """A run in a process of its own, which kills itself at its so-many-th touch of a file."""

    def target() -> None:
        signal.alarm(PATIENCE)
        left = touches

        def watch(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if left and event in TOUCHES and str(arguments[0]).startswith(str(folder)):
                left -= 1
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(watch)
        learn(recipe, folder)

    process = multiprocessing.get_context("fork").Process(target=target)
    process.start()
    return process


@forks
@pytest.mark.slow
@pytest.mark.usefixtures("judged_by_size")
def test_a_run_killed_between_any_two_touches_of_a_file_goes_on(
    whole: Whole, tmp_path: Path
) -> None:
    draw, ends = random.Random(0), []
    while not ends or ends[-1] == -signal.SIGKILL:
        process = start(whole.recipe, tmp_path / "run", draw.randint(1, 40))
        process.join()
        ends.append(process.exitcode)
        assert len(ends) < 100
    assert ends[-1] == 0
    assert len(ends) > 5
    assert outcome(tmp_path / "run") == whole.left


@forks
@pytest.mark.slow
@pytest.mark.usefixtures("judged_by_size")
def test_a_run_killed_whenever_it_may_be_goes_on(whole: Whole, tmp_path: Path) -> None:
    draw, kills = random.Random(1), 0
    for _ in range(8):
        process = start(whole.recipe, tmp_path / "run")
        process.join(draw.uniform(0, 0.5 * whole.seconds))
        process.kill()
        process.join()
        assert process.exitcode in (0, -signal.SIGKILL)
        kills += process.exitcode != 0
    process = start(whole.recipe, tmp_path / "run")
    process.join()
    assert process.exitcode == 0
    assert kills > 0
    assert outcome(tmp_path / "run") == whole.left


@pytest.mark.slow
def test_a_command_that_was_killed_goes_on_when_it_is_given_again(
    faces: Path, tmp_path: Path
) -> None:
    path, folder = tmp_path / "toy.yaml", tmp_path / "killed"
    long = {"epochs": 50}  # enough to be killed in
    tasks = (toys.task(name, faces, budget=long) for name in "ab")
    path.write_text(yaml.safe_dump(toys.document(*tasks)))
    command = [sys.executable, "-m", "paenet", "run", str(path), "--out", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (folder / "checkpoint.safetensors").exists():
            time.sleep(0.001)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "pack.pae").exists()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    training.run(training.load_recipe(path), tmp_path / "whole")
    assert outcome(folder) == outcome(tmp_path / "whole")
