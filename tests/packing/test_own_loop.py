"""The core needs no trainer: the example in plain PyTorch runs and says what it promises."""

import re
import runpy
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "own_loop.py"


def test_the_example_learns_packs_and_removes(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    said = capsys.readouterr().out
    assert "CHANGED" not in said
    assert "without gender, identity and light are the same, bit for bit" in said
    assert "70% released: holds" in said
    agreement = re.search(r"agree with the given network's by ([\d.]+)", said)
    assert agreement is not None
    assert float(agreement[1]) >= 0.97
    for task in ("gender", "light"):
        accuracy = re.search(rf"{task}: accuracy ([\d.]+)%", said)
        assert accuracy is not None
        assert float(accuracy[1]) > 80
