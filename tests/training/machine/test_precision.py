"""bfloat16 where a device gains by it, and what is asked for everywhere else."""

import pytest
import torch

from paenet.engine import precision
from paenet.training.machine.precision import choose_precision, is_emulated

CPU = torch.device("cpu")


@pytest.mark.parametrize(("has", "chosen"), [(True, "bf16"), (False, "float32")])
def test_auto_takes_bfloat16_where_the_processor_has_instructions_for_it(
    has: bool, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in precision._INSTRUCTIONS:
        monkeypatch.setattr(torch.cpu, name, lambda: has)
    assert choose_precision("auto", CPU) == chosen
    assert choose_precision("bf16", CPU) == "bf16"
    assert choose_precision("float32", CPU) == "float32"
    assert is_emulated("bf16", CPU) is not has
    assert not is_emulated("float32", CPU)


def test_torch_can_be_asked_for_them() -> None:
    assert all(isinstance(getattr(torch.cpu, name)(), bool) for name in precision._INSTRUCTIONS)


def test_other_devices_compute_in_float32() -> None:
    assert choose_precision("auto", torch.device("mps")) == "float32"
