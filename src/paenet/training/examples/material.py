"""What a task is learnt from and judged on, opened from its plan."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from paenet import tasks
from paenet.datasets import pairs_at
from paenet.packing import seeded
from paenet.tasks import Metric, Task, TaskError
from paenet.training.errors import RecipeError
from paenet.training.examples.data import Progress, Split, View, decode, open_split, spaced
from paenet.training.examples.evaluate import predict
from paenet.training.examples.sources import ImageSource, Source
from paenet.training.machine import IMAGES, derive
from paenet.training.recipe import Input, TaskPlan

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Material:
    """One task's plan, examples and judges.

    Attributes:
        train, val, test: the splits.
        teacher: the network that a distilled task imitates, else None.
        pairs: face pairs that an identity is tested on, else None.
        progress: told while a network is judged.
        pretrain: the examples on which the task is trained first, else None.
    """

    plan: TaskPlan
    task: Task
    view: View
    train: Split
    val: Split
    test: Split
    teacher: nn.Module | None
    pairs: FacePairs | None
    progress: Progress | None = None
    pretrain: Split | None = None
    _taught: dict[str, Tensor] = field(default_factory=dict, repr=False)

    def splits(self) -> list[tuple[str, Split]]:
        """The splits by name."""
        before = [] if self.pretrain is None else [("pretrain", self.pretrain)]
        return [*before, ("train", self.train), ("val", self.val), ("test", self.test)]

    def pretraining(self) -> Material:
        """What the task is trained on first, judged on its own validation split.

        Raises:
            ValueError: where it is trained on nothing else first.
        """
        plan = self.plan.pretraining()
        if plan is None or self.pretrain is None:
            raise ValueError(f"task {self.plan.name!r} has no pretraining")
        return replace(self, plan=plan, train=self.pretrain, pretrain=None)

    def criterion(self, features: int, seed: int) -> nn.Module:
        """The task's loss, with parameters of its own drawn from `seed`.

        Args:
            features: what the task's head is given.
        """
        by_teacher = torch.empty(0)  # which gives the targets
        targets = by_teacher if self.train.targets is None else self.train.targets
        with seeded(derive(seed, "criterion")):
            return self.task.criterion(features, targets)

    def measure(
        self, network: nn.Module, split: Split, source: Source | None = None
    ) -> dict[str, dict[str, Any]]:
        """A network's metrics on a split in float32, the goal's first, as JSON.

        Args:
            source: what the network is fed; the images of the split by default.
        """
        targets = split.targets if self.teacher is None else self._teacher_outputs(split)
        assert targets is not None
        source = source or ImageSource(split, self.view)
        outputs = targets if network is self.teacher else self._predict(network, source)
        metrics = self.task.measure(outputs, targets)
        ordered = {self.task.metric: metrics.pop(self.task.metric), **metrics}
        return {name: metric_as_json(metric) for name, metric in ordered.items()}

    def _teacher_outputs(self, split: Split) -> Tensor:
        """What the teacher says of a split; computed once."""
        assert self.teacher is not None
        if split.hash not in self._taught:
            self._taught[split.hash] = self._predict(self.teacher, ImageSource(split, self.view))
        return self._taught[split.hash]

    def _predict(self, network: nn.Module, source: Source) -> Tensor:
        batch = self.plan.budget.validate_batch
        return predict(network, source, batch=batch, progress=self.progress)

    def test_metrics(
        self, network: nn.Module, source: Source | None = None
    ) -> dict[str, dict[str, Any]]:
        """Metrics on test data: of the test split, and of the pairs where there are any.

        Args:
            source: as for `measure`; pairs are always images.
        """
        metrics = self.measure(network, self.test, source)
        if self.pairs is not None:
            batch = self.plan.budget.validate_batch
            metrics |= self.pairs.measure(network, self.view, batch, self.progress)
        return metrics


@dataclass(frozen=True)
class FacePairs:
    """Pairs of faces of one person or two, in folds, as LFW has them.

    Attributes:
        name: of the data set: of the folder that the pairs file is in, or `lfw` for the official
            layout.
        split: every distinct image once.
        a, b: `(P,)` rows of `split`.
        same: `(P,)` bool: one person.
        fold: `(P,)` numbers of folds.
    """

    name: str
    split: Split
    a: Tensor
    b: Tensor
    same: Tensor
    fold: Tensor

    def digest(self) -> str:
        """Changes when a pair or an image could have."""
        parts = [tensor.numpy().tobytes() for tensor in (self.a, self.b, self.same, self.fold)]
        return hashlib.sha256(b"".join([self.split.hash.encode(), *parts])).hexdigest()[:24]

    def measure(
        self, network: nn.Module, view: View, batch: int, progress: Progress | None = None
    ) -> dict[str, dict[str, Any]]:
        """Accuracy over the folds, plain and with the mean embedding subtracted.

        Beside each, the mean `threshold` of the cosine from which on faces are one person's.
        Embeddings of a face and its mirror image are averaged. Nothing is chosen on the fold that
        is judged: neither threshold nor mean.
        """
        plain, mirrored = (
            predict(
                network,
                ImageSource(self.split, view, mirror=mirror),
                batch=batch,
                progress=progress,
            )
            for mirror in (False, True)
        )
        embeddings = tasks.average_flipped(plain, mirrored)
        found = {}
        for name, subtract in (("pairs", False), ("pairs_mean_subtracted", True)):
            result = tasks.verify(
                embeddings[self.a],
                embeddings[self.b],
                self.same.numpy(),
                self.fold.numpy(),
                subtract_mean=subtract,
            )
            threshold = fmean(result.thresholds)  # each chosen on the other folds
            found[name] = metric_as_json(result.metric()) | {"threshold": threshold}
        return found


def metric_as_json(metric: Metric) -> dict[str, Any]:
    """A metric's fields."""
    return {name: getattr(metric, name) for name in metric.__slots__}


def make_task(plan: TaskPlan) -> Task:
    """The task of a plan.

    Raises:
        RecipeError: names the setting that its kind does not take.
    """
    try:
        return tasks.create(plan.kind, plan.name, **plan.settings)
    except TaskError as error:
        raise RecipeError(str(error)) from None


def open_pairs(
    path: str,
    view: View,
    given: Input,
    cache: Path,
    limit: int | None = None,
    progress: Progress | None = None,
) -> FacePairs:
    """The pairs of a pairs file, every image decoded.

    Args:
        limit: take at most so many pairs, evenly from the whole file, since its folds come one
            after the other.

    Raises:
        DataError: where there is no such file, or as `decode`.
        RecipeError: where an image of a pair is broken, since a test cannot leave it out.
    """
    pairs = pairs_at(path)
    chosen = spaced(len(pairs), len(pairs) if limit is None else limit)
    rows, (a, b) = np.unique([pairs.a[chosen], pairs.b[chosen]], return_inverse=True)
    images = decode(pairs.examples.select(rows), view, given, cache, progress=progress)
    if images.broken:
        name, reason = images.broken[0]
        raise RecipeError(f"{path}: {name}: {reason}; every image of a pairs file must be readable")
    return FacePairs(
        "lfw" if Path(path).is_dir() else Path(path).resolve().parent.name,
        images,
        torch.as_tensor(a),
        torch.as_tensor(b),
        torch.as_tensor(pairs.same[chosen]),
        torch.as_tensor(pairs.fold[chosen]),
    )


def open_material(
    plan: TaskPlan,
    *,
    view: View,
    given: Input,
    cache: Path,
    limit: int | None,
    seed: int,
    teacher: nn.Module | None,
    watch: Callable[[str, int, int], None],
) -> Material:
    """Everything of a plan, decoded (or from the cache) and encoded.

    Args:
        watch: told what is under way, and how many images of how many are done.
    """
    task = make_task(plan)
    decoding = partial(watch, f"{plan.name}/decode")
    opened = partial(
        open_split,
        task=task,
        view=view,
        given=given,
        cache=cache,
        limit=limit,
        seed=seed,
        progress=decoding,
    )
    train, val, test = (opened(plan, split=name) for name in SPLITS)
    before = plan.pretraining()
    pretrain = None if before is None else opened(before, split="train")
    pairs = None
    if plan.pairs is not None:
        pairs = open_pairs(plan.pairs, view, given, cache / IMAGES, limit, decoding)
    judging = partial(watch, f"{plan.name}/judge")
    return Material(plan, task, view, train, val, test, teacher, pairs, judging, pretrain)
