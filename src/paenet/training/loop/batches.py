"""Which examples a stage of training sees, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paenet.training.errors import RecipeError
from paenet.training.examples import Source
from paenet.training.machine import generator
from paenet.training.recipe import Budget


@dataclass(frozen=True)
class Batches:
    """The training batches of one stage: a function of the seed and the step, nothing else.

    Args:
        source: what the network is fed.
        targets: `(N, ...)`, or None where a teacher gives them.
        budget: batch size, and how many examples an epoch draws.
        seed: of order and augmentation.
        key: the stage, so that two stages differ.
        process, processes: which share of every batch is taken.

    Raises:
        RecipeError: where a process would get a single example, from which no norm can learn.
    """

    source: Source
    targets: Tensor | None
    budget: Budget
    seed: int
    key: str
    process: int = 0
    processes: int = 1
    # Of the epoch that is going on; drawing one takes as long as several steps of a small network.
    _drawn: dict[int, NDArray[np.int64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if min(self.budget.batch, self.epoch_examples) < 2 * self.processes:
            raise RecipeError(
                f"{self.key}: batches of {self.budget.batch} out of {self.epoch_examples} examples "
                f"leave {self.processes} processes less than 2 each; raise budget.batch, or take "
                "fewer processes"
            )

    @property
    def epoch_examples(self) -> int:
        return min(self.budget.examples or len(self.source), len(self.source))

    @property
    def epoch_steps(self) -> int:
        return max(1, self.epoch_examples // self.budget.batch)

    def steps(self, epochs: float) -> int:
        """Optimiser steps in so many epochs; at least one, where there is any training at all."""
        return max(1, round(epochs * self.epoch_steps)) if epochs > 0 else 0

    def rows(self, step: int) -> NDArray[np.int64]:
        """The examples of one step, over all processes."""
        epoch, place = divmod(step, self.epoch_steps)
        order = self._order(epoch)[: self.epoch_examples]
        start = place * self.budget.batch
        return order[start : start + self.budget.batch].copy()

    def __call__(self, step: int, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """This process's share of step `step`: varied inputs and their targets."""
        rows = self.rows(step)[self.process :: self.processes]
        draw = generator(self.seed, self.key, "augment", step, self.process)
        inputs = self.source.varied(rows, draw, device)
        return inputs, None if self.targets is None else self.targets[rows].to(device)

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """The examples of an epoch, in the order in which they are drawn."""
        if epoch not in self._drawn:
            self._drawn.clear()
            draw = generator(self.seed, self.key, "order", epoch)
            self._drawn[epoch] = torch.randperm(len(self.source), generator=draw).numpy()
        return self._drawn[epoch]
