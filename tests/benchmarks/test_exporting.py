"""Every task of a run is judged as its network and as two models, and the page shows it."""

from pathlib import Path

import pytest

from benchmarks.exporting import measure
from benchmarks.page import page
from paenet import training
from tests.benchmarks.runs import toy_run
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@pytest.mark.slow
def test_what_models_lose_is_measured_and_shown(faces: Path, tmp_path: Path) -> None:
    run, recipe = toy_run(("shade", "more"), faces, tmp_path)
    found = measure(run, recipe)
    assert set(found["bytes"]) == {"pack", "float32", "int8"}
    for judged in found["tasks"].values():
        assert judged["torch"] == judged["float32"]
        assert judged["int8"]["metric"] == "accuracy"
    about = {"kind": "export", "command": "python …", "versions": training.versions()}
    shown = page({"export": about | found})
    assert "| task | metric | torch | ONNX, float32 | ONNX, int8 |" in shown
    assert "| more | accuracy | " in shown
