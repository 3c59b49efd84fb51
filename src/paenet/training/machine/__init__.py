"""What a run computes on: versions, caches, number formats, memory, seeds and processes."""

from paenet.training.machine.caching import (
    ACTIVATIONS,
    IMAGES,
    KINDS,
    REFERENCES,
    cache_sizes,
    clear_cache,
)
from paenet.training.machine.environment import cache_folder, launched, versions
from paenet.training.machine.memory import enough_memory, keep_freed_memory
from paenet.training.machine.precision import Precision, choose_precision, is_emulated
from paenet.training.machine.randomness import derive, generator, seed_globally
from paenet.training.machine.waiting import alone

__all__ = [
    "ACTIVATIONS",
    "IMAGES",
    "KINDS",
    "REFERENCES",
    "Precision",
    "alone",
    "cache_folder",
    "cache_sizes",
    "choose_precision",
    "clear_cache",
    "derive",
    "enough_memory",
    "generator",
    "is_emulated",
    "keep_freed_memory",
    "launched",
    "seed_globally",
    "versions",
]
