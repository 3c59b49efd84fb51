"""Tasks are judged on another data set's faces, and the page shows it."""

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
    found = measure(faces, {"shade": None, "more": "shade"}, [pack])
    judged = found["packs"]["run"]
    assert list(judged) == ["shade", "more"]
    whole = training.judge(pack, "shade", faces, split=None)
    assert whole["count"] > training.judge(pack, "shade", faces)["count"]
    assert judged["shade"]["count"] == whole["count"]
    assert judged["shade"]["metrics"] == whole["metrics"]
    about = {"kind": "unseen", "command": "python …", "versions": training.versions()}
    assert f"| `run` | shade | {whole['count']} | accuracy | " in page({"unseen": about | found})
