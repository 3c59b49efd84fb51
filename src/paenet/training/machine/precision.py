"""Which number format training computes in."""

from __future__ import annotations

from typing import Literal

import torch

from paenet.engine.precision import gains_by_bfloat16

Precision = Literal["float32", "bf16"]


def choose_precision(wanted: Literal["auto", "float32", "bf16"], device: torch.device) -> Precision:
    """The format to train in; `auto` takes bfloat16 autocast where `device` gains by it."""
    if wanted != "auto":
        return wanted
    return "bf16" if gains_by_bfloat16(device) else "float32"


def is_emulated(precision: Precision, device: torch.device) -> bool:
    """Whether `device` has no instructions for it, and takes several times as long for it."""
    return precision == "bf16" and not gains_by_bfloat16(device)
