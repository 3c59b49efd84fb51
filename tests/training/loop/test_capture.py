"""Steps that a GPU is given in one launch: the same bits, or the module as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from paenet.packing.owned import own
from paenet.training.loop.capture import captured

on_a_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


class Trained(nn.Module):
    """A network, partly fixed, and its loss, with all that a step may change or draw."""

    def __init__(self, asks: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.network = nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(144, 3)
        )
        weight = torch.randn(4, 3, 3, 3)
        own(self.network.get_submodule("0"), weight > 0, fixed=weight)
        self.unused = nn.Parameter(torch.zeros(2))
        self._asks = asks

    def forward(self, images: Tensor, targets: Tensor | None) -> Tensor:
        outputs = self.network(images)
        if self._asks:
            outputs = outputs * (1.0 if outputs.sum().item() else 0.0)
        if targets is None:
            return outputs.square().mean()
        return functional.cross_entropy(outputs, targets)


def examples(device: torch.device, *, labelled: bool) -> list[tuple[Tensor, Tensor | None]]:
    draw = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(8, 3, 8, 8, generator=draw).to(device),
            torch.randint(3, (8,), generator=draw).to(device) if labelled else None,
        )
        for _ in range(6)
    ]


def trained(*, capture: bool, labelled: bool = True, asks: bool = False) -> tuple[Any, Any]:
    """The state after a few steps, and whether they were captured."""
    accelerator = Accelerator()
    trainee = Trained(asks).to(accelerator.device)
    optimizer = torch.optim.AdamW(trainee.parameters(), lr=0.01)
    model, prepared = accelerator.prepare(trainee, optimizer)
    steps = examples(accelerator.device, labelled=labelled)
    compute = captured(model.train(), lambda: steps[0], accelerator) if capture else model
    for step, given in enumerate(steps):
        torch.manual_seed(step)
        accelerator.backward(compute(*given))
        prepared.step()
        prepared.zero_grad()
    return model.state_dict(), compute is not model


def test_without_a_gpu_a_module_stays_as_it_is() -> None:
    accelerator = Accelerator(cpu=True)
    model = Trained()
    example = examples(accelerator.device, labelled=True)[0]
    assert captured(model, lambda: example, accelerator) is model


@on_a_gpu
@pytest.mark.parametrize("labelled", [True, False])
def test_captured_steps_train_as_others_do_bit_for_bit(labelled: bool) -> None:
    plain, _ = trained(capture=False, labelled=labelled)
    state, taken = trained(capture=True, labelled=labelled)
    assert taken
    for name, value in plain.items():
        assert torch.equal(state[name], value), name


@on_a_gpu
def test_a_network_that_asks_the_gpu_for_a_number_is_run_as_it_is() -> None:
    plain, _ = trained(capture=False, asks=True)
    state, taken = trained(capture=True, asks=True)
    assert not taken
    for name, value in plain.items():
        assert torch.equal(state[name], value), name


@on_a_gpu
def test_arguments_that_are_no_tensors_are_not_captured() -> None:
    accelerator = Accelerator()
    model = Trained().to(accelerator.device)
    assert captured(model, lambda: (torch.zeros(8, 3, 8, 8), None, 1), accelerator) is model
