"""Training on a GPU without waiting for Python: a loss and its gradients as two CUDA graphs.

A step of a network of many small layers takes a processor several times as long to launch as it
takes a GPU to compute. A graph is launched at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

Loss = Callable[..., Tensor]


def captured(
    model: nn.Module, step: Callable[[], tuple[Any, ...]], accelerator: Accelerator
) -> Loss:
    """What computes the same loss and gradients as `model`, on a GPU in one launch each.

    Only what is the same in every step can be captured: `model` itself is returned on other
    devices, for several processes, for arguments other than tensors, and for a network that asks
    the GPU for a number midway.

    Args:
        model: as `accelerator` has prepared it, in training mode; computes a loss.
        step: gives the arguments of a step; every other step has tensors of these shapes.
    """
    if accelerator.num_processes > 1 or accelerator.device.type != "cuda":
        return model
    example = step()
    if not all(value is None or isinstance(value, Tensor) for value in example):
        return model
    whole = _OfTensors(model, [value is None for value in example])
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    tensors = tuple(value for value in example if value is not None)
    # It is about work on two streams at a time, of which there is none.
    warnings.filterwarnings("ignore", message="The AccumulateGrad node's stream")
    try:
        torch.cuda.make_graphed_callables(whole, tensors, allow_unused_input=True)
    except RuntimeError:
        return model
    finally:
        # It was run a few times: what norms have counted then is none of their business.
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    return lambda *given: whole(*(value for value in given if value is not None))


class _OfTensors(nn.Module):
    """A module without those of its arguments that are None, which no graph can have."""

    def __init__(self, module: nn.Module, absent: list[bool]) -> None:
        super().__init__()
        self.module = module
        self._absent = absent

    def forward(self, *tensors: Tensor) -> Tensor:
        given = iter(tensors)
        loss: Tensor = self.module(*(None if none else next(given) for none in self._absent))
        return loss
