"""Two processes that share a run: they say the same, and older tasks stay what they were."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
import yaml

from paenet import packfile, training
from tests.training import toys

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (torch.distributed.is_available() and torch.distributed.is_gloo_available()),
        reason="this torch cannot let processes talk on CPUs",
    ),
]

ROOT = Path(__file__).resolve().parents[2]

# `python -m paenet`, and every process notes what the tasks are before it learns one more.
NOTING = """
import json, os, pathlib, runpy
from paenet.training.algorithm.addition import _Addition

state = _Addition._state

def noted(self, probes):
    found = state(self, probes)
    path = pathlib.Path(__file__).with_name(f"process-{os.environ['RANK']}.jsonl")
    with path.open("a") as file:
        file.write(json.dumps(found) + "\\n")
    return found

_Addition._state = noted
runpy.run_module("paenet", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Shared:
    """A run of three tasks that two processes have shared."""

    folder: Path
    recipe: Path

    @property
    def out(self) -> Path:
        return self.folder / "run"

    @property
    def pack(self) -> Path:
        return self.out / "pack.pae"

    def noted(self, process: int) -> list[dict[str, dict[str, str]]]:
        """The tasks with their fingerprints and outputs, as one process saw them."""
        path = self.folder / f"process-{process}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def shared(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Prunings that hold, and a goal that is missed, so that filters are added."""
    folder = tmp_path_factory.mktemp("shared")
    missed = {"at_least": 1.5, "missed": "keep"}
    tasks = [toys.task("a", faces), toys.task("b", faces, goal=missed), toys.task("c", faces)]
    made = Shared(folder, folder / "toy.yaml")
    made.recipe.write_text(yaml.safe_dump(toys.document(*tasks)))
    script = folder / "noting.py"
    script.write_text(NOTING)
    launch(made, str(script))
    return made


def launch(shared: Shared, *program: str) -> dict[str, object]:
    """Runs the recipe in two processes, as `accelerate launch` does; returns what they print."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    launcher = ["torch.distributed.run", "--nproc-per-node=2", "--master-addr=127.0.0.1"]
    arguments = ["run", str(shared.recipe), "--out", str(shared.out), "--json"]
    done = subprocess.run(
        [sys.executable, "-m", *launcher, f"--master-port={port}", *program, *arguments],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "PAENET_CACHE": str(shared.folder / "cache"),
            "ACCELERATE_USE_CPU": "true",
            **({"GLOO_SOCKET_IFNAME": "lo"} if sys.platform == "linux" else {}),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, object] = json.loads(done.stdout)  # of one process, not of both
    return document


def test_every_older_task_stays_what_it_was(shared: Shared) -> None:
    entries = toys.entries(shared.out)
    now = entries["c/learnt"]["tasks"]
    assert list(now) == ["a", "b", "c"]
    for name in now:
        later = [entries[f"{other}/learnt"]["tasks"] for other in now if other >= name]
        assert all(tasks[name] == now[name] for tasks in later)
        assert now[name]["fingerprint"] == toys.fingerprints(shared.pack)[name]


def test_the_pack_keeps_every_law(shared: Shared) -> None:
    report = packfile.check(shared.pack, backbone=toys.tiny)
    assert report.ok
    assert not report.skipped
    assert len(packfile.read(shared.pack, backbone=toys.tiny).pack.widths) == 2


def test_both_processes_have_learnt_the_same(shared: Shared) -> None:
    first, second = shared.noted(0), shared.noted(1)
    assert [list(states) for states in second] == [[], ["a"], ["a", "b"]]
    assert all(states in first for states in second)


def test_each_has_seen_its_share_of_every_batch(shared: Shared, tmp_path: Path) -> None:
    # Two halves of a batch have other statistics than the whole: it is not one process twice.
    alone = tmp_path / "alone"
    training.run(training.load_recipe(shared.recipe), alone)
    assert toys.fingerprints(alone / "pack.pae")["a"] != toys.fingerprints(shared.pack)["a"]


def test_started_again_they_do_nothing(shared: Shared) -> None:
    before = {path.name: path.read_bytes() for path in shared.out.iterdir()}
    document = launch(shared, "-m", "paenet")
    assert {path.name: path.read_bytes() for path in shared.out.iterdir()} == before
    assert list(document["tasks"]) == ["a", "b", "c"]  # type: ignore[call-overload]
