"""One network in which tasks own weights, as we run it and as Avalanche's PackNet does."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import torch
from torch import nn

from paenet.bench.inputs import random_images
from paenet.bench.learning import Step
from paenet.bench.timing import ratio
from paenet.packing import Pack

IMAGES, SIZE = 32, 64  # of a batch, and pixels
KEPT = 0.5  # of the weights, by the first task


def over_avalanche(repeats: int) -> dict[str, float] | None:
    """Our time by that of Avalanche's PackNet, which masks weights in every pass.

    Both have a small convolutional network without norms (their PackNet takes none), of whose
    weights a first task owns half.

    Args:
        repeats: of every timing; see `medians`.

    Returns:
        `forward`: the first task's answers; `step`: of AdamW, while a second task learns. None
        where `avalanche-lib` cannot be imported.
    """
    try:
        from avalanche.models.packnet import PackNetModel
    except (ImportError, RuntimeError):  # torchvision raises the latter beside another torch build
        return None

    def theirs() -> nn.Module:
        network = PackNetModel(_network())
        network.prune(1 - KEPT)
        network.freeze_pruned()
        return network

    images = random_images(IMAGES, (3, SIZE, SIZE))
    first, second = (torch.full((IMAGES,), task) for task in (0, 1))
    pack = _packed()
    with torch.inference_mode():
        ours = pack.materialize("first")
        forward = ratio(partial(ours, images), partial(theirs().eval(), images, first), repeats)
    learner = pack.learn("second", head=nn.Identity(), sees="all")
    step = ratio(Step(learner, images), Step(theirs(), images, second), repeats)
    return {"forward": forward, "step": step}


def _packed() -> Pack:
    pack = Pack(_network())
    learner = pack.learn("first", head=nn.Identity())
    learner.prune(to=KEPT)
    learner.freeze()
    return pack


def _network() -> nn.Module:
    channels = (3, 32, 64, 128, 256)
    layers: list[nn.Module] = []
    for narrow, wide in pairwise(channels):
        layers += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), nn.ReLU()]
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels[-1], 10)
    )
