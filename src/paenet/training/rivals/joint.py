"""One network, trained for all tasks at once: what sharing gives where nothing comes later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from paenet.training.batches import Batches
from paenet.training.errors import RecipeError
from paenet.training.fit import Stage, Trainee
from paenet.training.material import Material
from paenet.training.rivals.finetune import FineTune
from paenet.training.rivals.rival import Lesson


class Joint(FineTune):
    """Multi-task training: the network of `FineTune`, its batches alternating between tasks."""

    about = "one network, trained for all tasks at once, a head for each"
    together = True

    def check(self) -> None:
        super().check()
        if self.start.session.accelerator.num_processes > 1:
            raise RecipeError(
                "joint: several processes cannot share heads that take turns; start one process"
            )

    def lesson(self, materials: Sequence[Material]) -> Lesson:
        parts = [self.start.lesson(self.with_head(m.plan), m) for m in materials]
        trainees = [part.trainee for part in parts if isinstance(part.trainee, Trainee)]
        batches = [part.batches for part in parts if isinstance(part.batches, Batches)]
        steps = [part.batches.steps(part.stage.epochs) for part in parts]
        stage = Stage(
            "+".join(material.plan.name for material in materials) + "/train",
            epochs=1,
            # There is one optimiser: every task has its say by the steps that it brings.
            rate=_mean([part.stage.rate for part in parts], steps),
            decay=_mean([part.stage.decay for part in parts], steps),
        )
        seed = self.start.session.recipe.seed
        return Lesson(
            stage, TakingTurns(self.backbone, trainees), Alternating(batches, steps, seed)
        )


class TakingTurns(nn.Module):
    """Several trainees on one backbone, one of which learns in each step.

    A head that has no turn has no gradient, so that the optimiser leaves it as it is.
    """

    def __init__(self, backbone: nn.Module, trainees: Sequence[Trainee]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(trainee.learner.get_submodule("head") for trainee in trainees)
        self.criteria = nn.ModuleList(trainee.criterion for trainee in trainees)
        # In a tuple: they hold the same modules, which are to be saved once.
        self._trainees = (*trainees,)

    def forward(self, inputs: Tensor, targets: Tensor | None, task: int) -> Tensor:
        # Each task says whether its batches change the statistics of norms.
        trainee = self._trainees[task].train(self.training)
        loss: Tensor = trainee(inputs, targets)
        return loss


@dataclass(frozen=True)
class Alternating:
    """The batches of several tasks, each task's spread evenly over all steps.

    Args:
        parts: of each task.
        counts: how many steps each task has.
        seed: of what is drawn while a step is computed.
    """

    parts: Sequence[Batches]
    counts: Sequence[int]
    seed: int
    process: int = 0

    @cached_property
    def order(self) -> list[tuple[int, int]]:
        """For every step, the task that learns in it and the task's own number of that step."""
        places = [
            ((own + 0.5) / count, task, own)
            for task, count in enumerate(self.counts)
            for own in range(count)
        ]
        return [(task, own) for _, task, own in sorted(places)]

    def steps(self, epochs: float) -> int:
        """All of them: how many epochs each task has is in `counts`."""
        return len(self.order)

    def __call__(self, step: int, device: torch.device) -> tuple[Any, ...]:
        task, own = self.order[step]
        return (*self.parts[task](own, device), task)


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    total = sum(weights)
    if total == 0:
        return values[0]
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total
