"""Adding a task is timed with an empty cache and with a full one, and the page shows it."""

from pathlib import Path

import pytest
import yaml

from benchmarks.adding import measure
from benchmarks.page import page
from paenet import training
from tests.training import toys
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@pytest.mark.slow
def test_adding_a_task_is_timed_and_shown(faces: Path, tmp_path: Path) -> None:
    document = toys.document(
        *(toys.task(name, faces) for name in ("shade", "more", "last")),
        backbone="small",
        input={"size": 32},
    )
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(yaml.safe_dump(document))
    training.run(training.load_recipe(recipe), tmp_path / "run", cache=tmp_path / "cache")
    before = (tmp_path / "run" / "pack.pae").read_bytes()
    found = measure(tmp_path / "run", recipe, "more")
    assert (tmp_path / "run" / "pack.pae").read_bytes() == before
    assert found["beside"] == "shade"
    assert found["cold"]["validation"] == found["warm"]["validation"]
    assert found["cold"]["seconds"] > 0
    about = {"kind": "adding", "command": "python …", "versions": training.versions()}
    shown = page({"adding": about | found})
    assert "| cold | 0." in shown
    assert "| none | accuracy | ≥ " in shown
