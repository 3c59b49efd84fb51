"""The figures of `pae bench speed` in words: on the command line and on the page of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_BY_BATCH = {
    "engine_over_dense": "all tasks in one pass ÷ one dense network",
    "engine_over_separate": "all tasks in one pass ÷ as many dense networks",
    "engine_over_paper": "all tasks in one pass ÷ a pass for each through its own network",
    "engine_over_adapters": "all tasks in one pass ÷ a pass for each through a LoRA adapter (PEFT)",
    "onnxruntime_over_dense": "all tasks by onnxruntime ÷ one dense network",
    "int8_over_dense": "all tasks by onnxruntime in int8 ÷ one dense network",
    "engine_bfloat16_over_dense_bfloat16": "all tasks in one pass ÷ one dense network, in bfloat16",
}


def speed_figures(document: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    """What was measured and the figure, None where it could not be, in the order of reading.

    Args:
        document: what `bench_speed` returns.
    """
    for key, words in _BY_BATCH.items():
        yield from _by_batch(words, document[key])
    yield "training step beside frozen weights ÷ plain", document["step_over_plain"]
    for stem, value in document["cached_epoch_speedup"].items():
        yield f"training step over all layers ÷ from activations after {stem}", value
    passes = document["avalanche"] or dict.fromkeys(("forward", "step"))
    for what, value in passes.items():
        yield f"{what} of a small network ÷ Avalanche's PackNet", value
    yield from _by_batch("memory of the engine ÷ one dense network", document["memory_over_dense"])
    for part, seconds in (document["first_answer_seconds"] or {}).items():
        yield f"seconds to the first answer, {part}", seconds


def _by_batch(
    words: str, figures: Mapping[str, float] | None
) -> Iterator[tuple[str, float | None]]:
    if figures is None:
        yield words, None
    for batch, value in (figures or {}).items():
        yield f"{words}, batch {batch}", value
