"""Adding a task is timed with an empty cache and with a full one, and the page shows it."""

from pathlib import Path

import pytest

from benchmarks.adding import measure
from benchmarks.page import page
from paenet import training
from tests.benchmarks.runs import toy_run
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@pytest.mark.slow
def test_adding_a_task_is_timed_and_shown(faces: Path, tmp_path: Path) -> None:
    run, recipe = toy_run(("shade", "more", "last"), faces, tmp_path)
    before = (run / "pack.pae").read_bytes()
    found = measure(run, recipe, "more")
    assert (run / "pack.pae").read_bytes() == before
    assert found["beside"] == "shade"
    assert found["cold"]["validation"] == found["warm"]["validation"]
    assert found["cold"]["seconds"] > 0
    about = {"kind": "adding", "command": "python …", "versions": training.versions()}
    shown = page({"adding": about | found})
    assert "| cold | 0." in shown
    assert "| none | accuracy | ≥ " in shown
