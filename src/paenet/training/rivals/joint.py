"""One network, trained for all tasks at once: what sharing gives where nothing comes later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from paenet.training.errors import RecipeError
from paenet.training.examples import Material
from paenet.training.loop import Batches, Stage, Trainee
from paenet.training.rivals.finetune import FineTune
from paenet.training.rivals.rival import Lesson

_LEAST = 2  # images of a task in a batch, as `Batches` wants them


class Joint(FineTune):
    """Multi-task training: the network of `FineTune`, each batch mixed from all tasks.

    Batches of one task at a time would be normalised by that task's statistics in training, and by
    those of all tasks together ever after.
    """

    about = "one network, trained for all tasks at once, a head for each"
    together = True

    def check(self) -> None:
        super().check()
        if self.start.session.accelerator.num_processes > 1:
            raise RecipeError(
                "joint: a task's share of a batch may be too small to be shared out among several "
                "processes; start one process"
            )

    def lesson(self, materials: Sequence[Material]) -> Lesson:
        lessons = [self.start.lesson(self.with_head(m.plan), m) for m in materials]
        parts = [part for part in lessons if part.stage.epochs > 0] or lessons
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
        return Lesson(stage, Together(self.backbone, trainees), mixed(batches, steps, seed))


class Together(nn.Module):
    """Several trainees on one backbone, through which the images of all go at once."""

    def __init__(self, backbone: nn.Module, trainees: Sequence[Trainee]) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(trainee.learner.get_submodule("head") for trainee in trainees)
        self.criteria = nn.ModuleList(trainee.criterion for trainee in trainees)
        # In a tuple: they hold the same modules, which are to be saved once.
        self._trainees = (*trainees,)

    def forward(self, *given: Tensor | None) -> Tensor:
        """The mean loss over all images.

        Args:
            given: the inputs of each task, and after them its targets, as `Mixed` gives them.
        """
        inputs = [part for part in given[::2] if part is not None]
        sizes = [len(part) for part in inputs]
        features = self.backbone(torch.cat(inputs)).split(sizes)
        losses = [
            len(part) * trainee.loss(head(seen), part, targets)
            for trainee, head, seen, part, targets in zip(
                self._trainees, self.heads, features, inputs, given[1::2], strict=True
            )
        ]
        return torch.stack(losses).sum() / sum(sizes)


@dataclass(frozen=True)
class Mixed:
    """Batches of all tasks at once.

    Args:
        parts: of each task, its share of a batch at a time.
        count: how many steps there are.
        seed: of what is drawn while a step is computed.
    """

    parts: Sequence[Batches]
    count: int
    seed: int
    process: int = 0

    def steps(self, epochs: float) -> int:
        """All of them: how many epochs each task has is in its share."""
        return self.count

    def __call__(self, step: int, device: torch.device) -> tuple[Any, ...]:
        return tuple(value for part in self.parts for value in part(step, device))


def mixed(parts: Sequence[Batches], counts: Sequence[int], seed: int) -> Mixed:
    """Steps that show as many images as the tasks have together, in their proportions.

    Args:
        parts: the batches of each task alone.
        counts: how many steps it has.
    """
    images = [part.budget.batch * count for part, count in zip(parts, counts, strict=True)]
    steps = max(1, sum(counts))
    shares = [max(_LEAST, round(count / steps)) for count in images]
    shared = [
        replace(part, budget=part.budget.model_copy(update={"batch": share}))
        for part, share in zip(parts, shares, strict=True)
    ]
    return Mixed(shared, round(sum(images) / sum(shares)), seed)


def _mean(values: Sequence[float], weights: Sequence[int]) -> float:
    total = sum(weights)
    if total == 0:
        return values[0]
    return sum(value * weight for value, weight in zip(values, weights, strict=True)) / total
