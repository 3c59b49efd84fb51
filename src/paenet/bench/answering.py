"""What it takes to answer all tasks at once, against the ways it would be done without us."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch

from paenet.bench import passes
from paenet.bench.inputs import random_images
from paenet.bench.timing import ratio
from paenet.packing import Pack

COMPARED = {
    "engine_over_dense": (passes.engine, passes.dense),
    "engine_over_separate": (passes.engine, passes.separate),
    "engine_over_paper": (passes.engine, passes.paper),
    "engine_over_adapters": (passes.engine, passes.adapters),
    "onnxruntime_over_dense": (passes.onnxruntime, passes.dense),
    "int8_over_dense": (passes.int8, passes.dense),
    "engine_bfloat16_over_dense_bfloat16": (passes.engine_bfloat16, passes.dense_bfloat16),
}
"""Figures, and the two ways to answer that each one compares."""


def answering(
    pack: Pack, batches: Sequence[int], repeats: int
) -> dict[str, dict[str, float] | None]:
    """Times every way to answer all tasks of a pack that knows its input.

    Args:
        pack: with at least one task.
        batches: of images that are answered at once.
        repeats: of every timing; see `ratio`.

    Returns:
        For every key of `COMPARED`, the time of one way by that of the other, by batch; None
        where one of them is not to be had here.
    """
    assert pack.example is not None
    ways = dict.fromkeys(way for sides in COMPARED.values() for way in sides)
    answers = {way: answer for way in ways if (answer := way(pack)) is not None}
    found: dict[str, dict[str, float] | None] = {
        key: {} if set(sides) <= answers.keys() else None for key, sides in COMPARED.items()
    }
    for batch in batches:
        images = random_images(batch, pack.example.shape[1:])
        works = {way: partial(answer, images) for way, answer in answers.items()}
        for key, (one, other) in COMPARED.items():
            ratios = found[key]
            if ratios is not None:
                # Two at a time: among many networks, torch's cache of what it has laid out for
                # each shape and layer overflows, as it would in nobody's program.
                with torch.inference_mode():
                    ratios[str(batch)] = ratio(works[one], works[other], repeats)
    return found
