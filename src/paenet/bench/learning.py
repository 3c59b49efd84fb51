"""What it takes to learn one more task beside those of a pack."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from paenet.bench.inputs import image_order, random_images
from paenet.bench.timing import medians
from paenet.packing import Learner, Pack


def learning(pack: Pack, count: int, repeats: int) -> dict[str, Any]:
    """Times training steps on a pack that knows its input.

    Args:
        pack: with at least one task.
        count: images of a step.
        repeats: of every timing; see `medians`.

    Returns:
        step_over_plain, cached_epoch_speedup: see `bench_speed`.
    """
    assert pack.example is not None
    assert pack.base is not None
    images = random_images(count, pack.example.shape[1:])
    stems = sorted({task.stem.name for task in pack.tasks.values() if task.stem is not None})
    full = Step(_learner(pack, None), images)
    plain = Step(image_order(pack.materialize(pack.base)), images)
    kept = {stem: _kept_step(pack, stem, images) for stem in stems}
    seconds = medians([full, plain, *kept.values()], repeats)
    return {
        "step_over_plain": seconds[full] / seconds[plain],
        "cached_epoch_speedup": {
            stem: seconds[full] / seconds[step] for stem, step in kept.items()
        },
    }


class Step:
    """One step of AdamW on a network's outputs."""

    def __init__(self, network: nn.Module, *inputs: Tensor) -> None:
        self._network, self._inputs = network.train(), inputs
        parameters = [p for p in network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(parameters, lr=1e-6, fused=True)

    def __call__(self) -> None:
        self._network(*self._inputs).square().mean().backward()
        self._optimizer.step()
        self._optimizer.zero_grad()


def _learner(pack: Pack, stem: str | None) -> Learner:
    """A task that is about to be learnt beside those of the pack."""
    learner = pack.learn("one more", head=nn.LazyLinear(2), stem=stem)
    assert pack.example is not None
    with torch.no_grad():
        learner.eval()(torch.zeros(pack.example.shape))  # the head learns how wide it is
    image_order(learner)
    return learner


def _kept_step(pack: Pack, stem: str, images: Tensor) -> Step:
    """A step of what follows a stem, from what the stem made of the images."""
    below, rest = _learner(pack, stem).halves()
    with torch.no_grad():
        return Step(rest, below(images))
