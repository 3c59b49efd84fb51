"""bfloat16 where a device gains by it, and what is asked for everywhere else."""

import pytest
import torch

from paenet.engine import precision
from paenet.training.precision import choose_precision

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def unmeasured() -> None:
    precision.gains_by_bfloat16.cache_clear()


@pytest.mark.parametrize(("share", "chosen"), [(0.5, "bf16"), (0.95, "float32"), (9, "float32")])
def test_auto_takes_bfloat16_where_it_saves_a_tenth_of_the_time(
    share: float, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "_step", lambda *, half: share if half else 1.0)
    assert choose_precision("auto", CPU) == chosen
    monkeypatch.setattr(precision, "_step", None)  # measured once
    assert choose_precision("auto", CPU) == chosen
    precision.gains_by_bfloat16.cache_clear()


def test_what_is_asked_for_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_step", None)
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("float32", CPU) == "float32"


def test_a_step_and_a_pass_are_measured_either_way() -> None:
    for seconds in (precision._step, precision._pass):
        assert seconds(half=True) > 0
        assert seconds(half=False) > 0
