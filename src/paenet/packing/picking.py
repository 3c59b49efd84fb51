"""A learned pick: which of the weights that a task sees it uses, one bit for each.

Each seen weight has a real-valued score, trained with the task; it is used where its score is above
a threshold (Mallya et al., ECCV 2018, "Piggyback"; Hung et al., NeurIPS 2019, "Compacting, Picking
and Growing", whose task also has weights of its own). Scores are forgotten when the task is frozen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from paenet.packing.learner import Learner
    from paenet.packing.pack import Pack
    from paenet.packing.parts import PackedTask

# Both as in the authors' code: arunmallya/piggyback, src/modnets/layers.py, and ivclab/CPG,
# models/layers.py and CPG_cifar100_main_normal.py.
THRESHOLD = 5e-3
START = 1e-2  # every score: at first a task uses all that it sees


def new_scores(seen: Tensor) -> nn.Parameter:
    """Scores for the weights that a task sees in a layer, of their shape: all are picked."""
    return nn.Parameter(torch.full_like(seen, START))


def pick(scores: Tensor) -> Tensor:
    """Bool, as the scores: which weights are used."""
    return scores.detach() > THRESHOLD


def used(scores: Tensor, seen: Tensor) -> Tensor:
    """The seen weights that are picked, zero elsewhere; scores get a straight-through gradient.

    That of a score is the gradient of the weight times its seen value, picked or not, as if the
    step were the identity (Piggyback, section 3, after Bengio et al., 2013).
    """
    values = torch.where(pick(scores), seen, torch.zeros((), dtype=seen.dtype, device=seen.device))
    return values + (scores - scores.detach()) * seen


def picked_by(learner: Learner, pack: Pack) -> dict[str, Tensor] | None:
    """What a learner has picked, as `PackedTask.picked` keeps it; the pack is as it started."""
    if not learner.picks:
        return None
    stem = None if learner.split is None else learner.split.stem
    found = {}
    for name, (_, weight) in learner.owned().items():
        if weight.scores is None:
            continue
        seen = pack.owned_by(name, pack.seen_slots(name, learner.sees, stem))
        if learner.maps is not None:
            seen = learner.maps[name].place(seen, seen.new_zeros(weight.trainable.shape))
        elif learner.channels is not None:
            seen = learner.channels.maps[name].narrow(seen)
        found[name] = (pick(weight.scores).cpu() & seen).contiguous()
    return found


def leave_out(pack: Pack, task: PackedTask, layer: str, weight: Tensor) -> Tensor:
    """A layer's weight of a task without what it sees and has not picked.

    Args:
        weight: with all that it sees, at the task's width.
    """
    if task.picked is None or layer not in task.picked:
        return weight
    mine = pack.widths[task.width].narrow(layer, pack.layers[layer].owner) == task.slot
    return weight.masked_fill(~(task.picked[layer] | mine), 0)
