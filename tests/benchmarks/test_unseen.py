"""Tasks are judged on another data set's faces, and the page shows it."""

import shutil
from pathlib import Path

import pytest

from benchmarks.page import page
from benchmarks.unseen import measure
from paenet import training
from tests.benchmarks.runs import toy_run
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@pytest.mark.slow
def test_tasks_are_judged_on_every_row_and_shown(faces: Path, tmp_path: Path) -> None:
    run, _ = toy_run(("shade", "more"), faces, tmp_path)
    pack = run / "pack.pae"
    (tmp_path / "apart").mkdir()
    for task in ("shade", "more"):
        shutil.copy(pack, tmp_path / "apart" / f"{task}.pae")
    runs = {"run": run, "one for each": tmp_path / "apart"}
    found = measure(faces, {"shade": None, "more": "shade"}, runs)
    judged = found["runs"]["run"]
    assert found["runs"]["one for each"] == judged
    assert list(judged) == ["shade", "more"]
    whole = training.judge(pack, "shade", faces, split=None)
    assert whole["count"] > training.judge(pack, "shade", faces)["count"]
    assert judged["shade"]["count"] == whole["count"]
    assert judged["shade"]["metrics"] == whole["metrics"]
    about = {"kind": "unseen", "command": "python …", "versions": training.versions()}
    assert f"| `run` | shade | {whole['count']} | accuracy | " in page({"unseen": about | found})
