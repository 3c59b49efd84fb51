"""What tasks cost to run together and to learn, against the ways they would be run without us."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from paenet import packfile
from paenet.bench.answering import answering
from paenet.bench.learning import learning
from paenet.bench.packnet import over_avalanche
from paenet.bench.processes import first_answer, memory_over_dense
from paenet.engine import Engine
from paenet.packfile import PackFile, PackFileError

BATCHES = (1, 32)
TRAINING = 32  # images of a training step


def bench_speed(
    held: PackFile, *, repeats: int = 5, batches: Sequence[int] = BATCHES, training: int = TRAINING
) -> dict[str, Any]:
    """Measures a pack whose tasks have stems; figures are JSON types.

    Everything is on the processor, as many threads as torch has, and in channels-last order and
    float32 where nothing else is said. Ratios of times are of medians, both sides taking turns in
    one process; memory and the first answer are measured once, in processes of their own.

    Args:
        held: the pack, its networks buildable from its spec.
        repeats: of every timing.
        batches: of images that are answered at once.
        training: images of a training step.

    Raises:
        PackFileError: where the pack has no task, or does not say what its networks are fed.

    Returns:
        engine_over_dense: all tasks by one dense network, by batch.
        engine_over_separate: all tasks by as many dense networks, one after the other, by batch.
        engine_over_paper: all tasks by one pass for each through its own network, by batch.
        engine_over_adapters: all tasks by one pass for each through a dense network with a LoRA
            adapter per task, by batch; None where `peft` is not installed or cannot adapt it.
        onnxruntime_over_dense, int8_over_dense: all tasks by onnxruntime, in float32 and in int8,
            by one dense network, by batch; None without the extra `onnx`.
        engine_bfloat16_over_dense_bfloat16: all tasks by one dense network, both in bfloat16, by
            batch; None where the processor gains nothing by it.
        work_over_dense: multiplications of all tasks by those of one dense network.
        step_over_plain: a training step of a task beside others by the same of a plain network.
        cached_epoch_speedup: a training step over all layers by one from kept activations, for
            every stem of the pack.
        avalanche: forward and step by Avalanche's PackNet; see `packnet.over_avalanche`.
        memory_over_dense: of an engine that has answered one batch by that of one dense network
            that has, in a process each, by batch; None where the system does not tell.
        first_answer_seconds: from the start of a process; see `processes.first_answer`.
    """
    pack = held.pack
    if pack.example is None or pack.base is None:
        raise PackFileError("the pack knows no input, or has no task; give one that pae has made")
    found = {
        **answering(pack, batches, repeats),
        **learning(pack, training, repeats),
        "avalanche": over_avalanche(repeats),
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack.pae"
        packfile.write(pack, path, backbone=held.spec, about=held.about)
        memory = memory_over_dense(path, pack.example.shape[-1], batches)
        answer = first_answer(path, pack.example.shape[-1])
    return {
        "tasks": len(pack.tasks),
        "stems": {n: None if t.stem is None else t.stem.name for n, t in pack.tasks.items()},
        **found,
        "work_over_dense": Engine(pack, dtype="float32").cost()["all"],
        "memory_over_dense": memory,
        "first_answer_seconds": answer,
        "repeats": repeats,
        "threads": torch.get_num_threads(),
    }
