"""Where bfloat16 pays."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import nn

GAIN = 0.9  # bfloat16 costs digits: it must save at least a tenth of the time


@cache
def gains_by_bfloat16(device: torch.device, *, training: bool) -> bool:
    """Whether `device` computes faster in bfloat16; measured once in a process.

    A processor without instructions for bfloat16 emulates it, several times slower than float32.

    Args:
        training: forward and backward under autocast, or forward alone with weights in bfloat16.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    seconds = _step if training else _pass
    return seconds(half=True) < GAIN * seconds(half=False)


def _layer() -> tuple[nn.Module, torch.Tensor]:
    layer = nn.Conv2d(64, 64, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return layer, torch.ones(8, 64, 32, 32).contiguous(memory_format=torch.channels_last)


def _step(*, half: bool) -> float:
    """Seconds of one small convolution, forward and backward; the best of three."""
    layer, inputs = _layer()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outputs = layer(inputs)
        outputs.float().sum().backward()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


@torch.inference_mode()
def _pass(*, half: bool) -> float:
    """Seconds of one small convolution, forward; the best of three."""
    layer, inputs = _layer()
    if half:
        layer, inputs = layer.bfloat16(), inputs.bfloat16()
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        layer(inputs)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
