"""One of several classes: gender, expression, and the like."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.errors import suggest
from paenet.tasks.base import Columns, Metric, Task
from paenet.tasks.intervals import bootstrap, wilson


@dataclass(frozen=True, kw_only=True)
class Classification(Task):
    """Which of the classes is it?

    The label column, by default named like the task, holds class names. Where the examples also
    have a column `LABEL:CLASS` for every class, its numbers are votes, and the targets are soft:
    each class's share of the votes (FER+: Barsoum et al., 2016). A row without votes counts as
    all votes for its label.

    Args:
        classes: the names, at least two; their order is the order of the outputs.
        class_weights: "balanced" makes every class count alike however rare it is.
        label_smoothing: share of each target that is spread over all classes, in [0, 1].
        dropout: share of the features dropped before the head while training, in [0, 1].
        embedding: dimensions of a linear embedding between features and classes, at most 65536;
            None has none. 3 is CAKE's compact representation of emotion (Kervadec et al., 2018).

    Raises:
        TaskError: where a setting is out of range; names it.
    """

    kind: ClassVar[str] = "classification"

    classes: Sequence[str]
    class_weights: Literal["none", "balanced"] = "none"
    label_smoothing: float = 0.0
    dropout: float = 0.0
    embedding: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label is None:
            self._set("label", self.name)
        if isinstance(self.classes, str) or not isinstance(self.classes, Sequence):
            raise self.error(f"classes: {self.classes!r} is not a list of names")
        for number, name in enumerate(self.classes):
            self.check_text(f"classes[{number}]", name)
        twice = sorted({name for name in self.classes if list(self.classes).count(name) > 1})
        if twice:
            raise self.error(f"classes: {twice[0]!r} is named twice")
        if len(self.classes) <= 1:
            raise self.error(f"classes: {list(self.classes)} has nothing to tell apart; give two")
        self._set("classes", tuple(self.classes))
        self.check_choice("class_weights", self.class_weights, ("none", "balanced"))
        self.check_number("label_smoothing", self.label_smoothing, 0, 1)
        self.check_number("dropout", self.dropout, 0, 1)
        self.check_embedding(self.embedding)

    @property
    def metric(self) -> str:
        """`accuracy`."""
        return "accuracy"

    def head(self, features: int) -> nn.Module:
        """A linear layer, (N, features) to (N, classes) logits, behind dropout and embedding."""
        layers: list[nn.Module] = [nn.Dropout(self.dropout)] if self.dropout else []
        if self.embedding is not None:
            layers.append(nn.Linear(features, self.embedding))
            features = self.embedding
        layers.append(nn.Linear(features, len(self.classes)))
        return nn.Sequential(*layers) if len(layers) > 1 else layers[0]

    def encode(self, columns: Columns) -> Tensor:
        """(N,) class indices, int64; or (N, classes) shares of the votes, float32."""
        votes = [name for name in self.classes if f"{self.label}:{name}" in columns]
        if not votes:
            return torch.tensor(
                [self._index(label, row) for row, label in enumerate(self.column(columns))],
                dtype=torch.int64,
            )
        missing = [f"{self.label}:{name}" for name in self.classes if name not in votes]
        if missing:
            raise self.error(
                f"the examples have votes for {', '.join(map(repr, votes))}, but no column "
                f"{missing[0]!r}; give votes for every class or for none"
            )
        rows = zip(*(columns[f"{self.label}:{name}"] for name in self.classes), strict=True)
        shares = [self._shares(texts, row, columns) for row, texts in enumerate(rows)]
        return torch.tensor(shares, dtype=torch.float32).reshape(-1, len(self.classes))

    def criterion(self, features: int, targets: Tensor) -> nn.Module:
        """Cross entropy, for class indices and for soft labels."""
        weight = self._balance(targets) if self.class_weights == "balanced" else None
        return CrossEntropy(weight, self.label_smoothing)

    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Metric]:
        """`accuracy`, and `class_accuracy`: its mean over the classes that occur.

        Where targets are soft, the class with most votes is the right one.
        """
        outputs, targets = self.comparable(outputs, targets)
        truth = targets.argmax(1) if targets.dim() > 1 else targets
        right = outputs.argmax(1) == truth
        per_class = [right[truth == index].double().mean() for index in truth.unique()]
        hits, count = int(right.sum()), len(right)
        return {
            "accuracy": Metric(hits / count, *wilson(hits, count), count, "share"),
            "class_accuracy": Metric(
                float(torch.stack(per_class).mean()),
                *bootstrap(right.numpy(), truth.numpy()),
                count,
                "share",
            ),
        }

    def _index(self, label: str, row: int) -> int:
        try:
            return self.classes.index(label)
        except ValueError:
            hint = suggest(label, self.classes)
            raise self.error(f"{label!r} is not a class{hint}", row) from None

    def _shares(self, texts: Sequence[str], row: int, columns: Columns) -> list[float]:
        if not any(text.strip() for text in texts):
            chosen = self._index(self.column(columns)[row], row)
            return [float(index == chosen) for index in range(len(self.classes))]
        votes = [
            self._votes(text, name, row) for text, name in zip(texts, self.classes, strict=True)
        ]
        total = sum(votes)
        if total == 0:
            raise self.error("no class has a vote; remove the row", row)
        return [vote / total for vote in votes]

    def _votes(self, text: str, name: str, row: int) -> float:
        try:
            votes = float(text or 0)
        except ValueError:
            votes = -1.0
        if not 0 <= votes < math.inf:
            raise self.error(f"{self.label}:{name}: {text!r} is not a number of votes", row)
        return votes

    def _balance(self, targets: Tensor) -> Tensor:
        """One weight per class, inverse to its part in the targets, 1 on average over them."""
        size = len(self.classes)
        if targets.dim() == 1:
            mass = torch.bincount(targets.cpu(), minlength=size).double()
        else:
            mass = targets.cpu().double().sum(0)
        # A class that never occurs has no weight of its own to balance.
        weight = mass.sum() / (mass.clamp_min(1e-12) * (mass > 0).sum())
        return torch.where(mass > 0, weight, 0.0).float()


class CrossEntropy(nn.Module):
    """Cross entropy in float32, with class weights and label smoothing.

    Args:
        weight: (classes,), or None to weigh all alike.
        smoothing: in [0, 1].
    """

    weight: Tensor | None

    def __init__(self, weight: Tensor | None = None, smoothing: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", weight)
        self.smoothing = smoothing

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(N, classes) logits against (N,) class indices or (N, classes) shares."""
        return functional.cross_entropy(
            outputs.float(), targets, self.weight, label_smoothing=self.smoothing
        )
