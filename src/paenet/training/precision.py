"""Which number format training computes in."""

from __future__ import annotations

import time
from typing import Literal

import torch
from torch import nn

Precision = Literal["float32", "bf16"]

GAIN = 0.9  # bfloat16 costs digits: it must save at least a tenth of the time


def choose_precision(wanted: Literal["auto", "float32", "bf16"], device: torch.device) -> Precision:
    """The format to train in; `auto` takes bfloat16 autocast where `device` gains by it.

    A processor without instructions for bfloat16 emulates it, several times slower than float32.
    """
    if wanted != "auto":
        return wanted
    if device.type != "cpu":
        return "bf16" if _has_bf16(device) else "float32"
    return "bf16" if _step(half=True) < GAIN * _step(half=False) else "float32"


def _has_bf16(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)


def _step(*, half: bool) -> float:
    """Seconds of one small convolution, forward and backward; the best of three."""
    layer = nn.Conv2d(64, 64, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    inputs = torch.ones(8, 64, 32, 32).contiguous(memory_format=torch.channels_last)
    seconds = []
    for _ in range(3):
        started = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outputs = layer(inputs)
        outputs.float().sum().backward()
        seconds.append(time.perf_counter() - started)
    return min(seconds)
