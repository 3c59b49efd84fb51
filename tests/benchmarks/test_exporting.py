"""Every task of a run is judged as its network and as two models, and the page shows it."""

from pathlib import Path

import pytest
import yaml

from benchmarks.exporting import measure
from benchmarks.page import page
from paenet import training
from tests.training import toys
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@pytest.mark.slow
def test_what_models_lose_is_measured_and_shown(faces: Path, tmp_path: Path) -> None:
    document = toys.document(
        *(toys.task(name, faces) for name in ("shade", "more")),
        backbone="small",
        input={"size": 32},
    )
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(yaml.safe_dump(document))
    training.run(training.load_recipe(recipe), tmp_path / "run", cache=tmp_path / "cache")
    found = measure(tmp_path / "run", recipe)
    assert set(found["bytes"]) == {"pack", "float32", "int8"}
    for judged in found["tasks"].values():
        assert judged["torch"] == judged["float32"]
        assert judged["int8"]["metric"] == "accuracy"
    about = {"kind": "export", "command": "python …", "versions": training.versions()}
    shown = page({"export": about | found})
    assert "| task | metric | torch | ONNX, float32 | ONNX, int8 |" in shown
    assert "| more | accuracy | " in shown
