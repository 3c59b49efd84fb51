"""What tasks cost to run together and to learn, against the ways they would be run without us."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paenet import packfile
from paenet.bench.processes import first_answer, memory_over_dense
from paenet.bench.timing import ratio
from paenet.engine import Engine
from paenet.packfile import PackFile, PackFileError
from paenet.packing import Learner, Pack

BATCHES = (1, 32)
TRAINING = 32  # images of a training step


def bench_speed(
    held: PackFile, *, repeats: int = 5, batches: Sequence[int] = BATCHES, training: int = TRAINING
) -> dict[str, Any]:
    """Measures a pack whose tasks have stems; figures are JSON types.

    Everything is float32 and in channels-last order, on the processor, as many threads as torch
    has; ratios are of medians, both sides taking turns in one process.

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
        work_over_dense: multiplications of all tasks by those of one dense network.
        step_over_plain: a training step of a task beside others by the same of a plain network.
        cached_epoch_speedup: a training step over all layers by one from kept activations, for
            every stem of the pack.
        memory_over_dense: of an engine by that of one dense network; None where it is not told.
        first_answer_seconds: from the start of a process; see `processes.first_answer`.
    """
    pack = held.pack
    if pack.example is None or pack.base is None:
        raise PackFileError("the pack knows no input, or has no task; give one that pae has made")
    shape = tuple(pack.example.shape[1:])
    engine = Engine(pack, dtype="float32")
    networks = [_image_order(pack.materialize(name)) for name in pack.tasks]
    over_dense, over_separate = {}, {}
    for batch in batches:
        images = _images(batch, shape)
        together = partial(engine, images)
        with torch.inference_mode():
            over_dense[str(batch)] = ratio(together, _calls(networks[:1], images), repeats)
            over_separate[str(batch)] = ratio(together, _calls(networks, images), repeats)
    stems = sorted({task.stem.name for task in pack.tasks.values() if task.stem is not None})
    images = _images(training, shape)
    full = _Step(_learner(pack, None), images)
    plain = _Step(_image_order(pack.materialize(pack.base)), images)
    step_over_plain = ratio(full, plain, repeats)
    speedup = {stem: ratio(full, _kept_step(pack, stem, images), repeats) for stem in stems}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack.pae"
        packfile.write(pack, path, backbone=held.spec, about=held.about)
        memory, answer = memory_over_dense(path, shape[-1]), first_answer(path, shape[-1])
    return {
        "tasks": len(pack.tasks),
        "stems": {n: None if t.stem is None else t.stem.name for n, t in pack.tasks.items()},
        "engine_over_dense": over_dense,
        "engine_over_separate": over_separate,
        "work_over_dense": engine.cost()["all"],
        "step_over_plain": step_over_plain,
        "cached_epoch_speedup": speedup,
        "memory_over_dense": memory,
        "first_answer_seconds": answer,
        "repeats": repeats,
        "threads": torch.get_num_threads(),
    }


class _Step:
    """One step of AdamW on a network's outputs."""

    def __init__(self, network: nn.Module, inputs: Tensor) -> None:
        self._network, self._inputs = network.train(), inputs
        parameters = [p for p in network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(parameters, lr=1e-6)

    def __call__(self) -> None:
        self._network(self._inputs).square().mean().backward()
        self._optimizer.step()
        self._optimizer.zero_grad()


def _calls(networks: Sequence[nn.Module], images: Tensor) -> Callable[[], object]:
    return lambda: [network(images) for network in networks]


def _images(count: int, shape: Sequence[int]) -> Tensor:
    images = torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))
    return images.contiguous(memory_format=torch.channels_last)


def _image_order(network: nn.Module) -> nn.Module:
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def _learner(pack: Pack, stem: str | None) -> Learner:
    """A task that is about to be learnt beside those of the pack."""
    learner = pack.learn("one more", head=nn.LazyLinear(2), stem=stem)
    assert pack.example is not None
    with torch.no_grad():
        learner.eval()(torch.zeros(pack.example.shape))  # the head learns how wide it is
    _image_order(learner)
    return learner


def _kept_step(pack: Pack, stem: str, images: Tensor) -> _Step:
    """A step of what follows a stem, from what the stem made of the images."""
    below, rest = _learner(pack, stem).halves()
    with torch.no_grad():
        return _Step(rest, below(images))
