"""The loop: one stage of training, step by step, which goes on where it was stopped."""

from paenet.training.loop.batches import Batches
from paenet.training.loop.fitting import Stage, Steps, Trainee, estimate_statistics, fit
from paenet.training.loop.state import (
    halved,
    load_state,
    load_tensors,
    round_to_halves,
    save_state,
    save_tensors,
    under,
)

__all__ = [
    "Batches",
    "Stage",
    "Steps",
    "Trainee",
    "estimate_statistics",
    "fit",
    "halved",
    "load_state",
    "load_tensors",
    "round_to_halves",
    "save_state",
    "save_tensors",
    "under",
]
