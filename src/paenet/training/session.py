"""What every part of a run shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from paenet.datasets import Augment
from paenet.packing import Method
from paenet.training.examples import View
from paenet.training.machine import Precision
from paenet.training.recipe import Recipe
from paenet.training.records import CHECKPOINT, Journal, Reporter


@dataclass(frozen=True)
class Session:
    """What every part of a run needs: where it is, how it computes, whom it tells.

    Attributes:
        folder: the run's directory.
        cache: where what can be made again is kept.
        features: how many the backbone returns for one image.
        limit: at most so many examples of a split.
        precision: what training computes in.
        weights: SHA-256 of the given network's file, None where it started from random values.
    """

    recipe: Recipe
    method: Method
    folder: Path
    cache: Path
    view: View
    features: int
    limit: int | None
    precision: Precision
    weights: str | None
    accelerator: Accelerator
    journal: Journal
    reporter: Reporter

    @property
    def augment(self) -> Augment:
        """How training images vary."""
        return self.recipe.input.augment.settings()

    @property
    def checkpoint(self) -> Path:
        return self.folder / CHECKPOINT
