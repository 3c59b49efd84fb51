"""Where bfloat16 pays."""

from __future__ import annotations

import torch

# What torch asks a processor for; both are of processors that multiply in bfloat16.
_INSTRUCTIONS = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")


def gains_by_bfloat16(device: torch.device) -> bool:
    """Whether `device` computes faster in bfloat16: whether it has instructions for it.

    A processor without them emulates it, several times slower than float32; one with them takes
    about half the time. That is not timed: a machine at work would find now this and now that, and
    answers of one file would differ from one process to the next.
    """
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return device.type == "cpu" and any(
        getattr(torch.cpu, name, lambda: False)() for name in _INSTRUCTIONS
    )
