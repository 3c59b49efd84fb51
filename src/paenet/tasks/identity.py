"""Whose face is it? An embedding in which one person's faces are close to each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.tasks.base import Columns, Metric, Task
from paenet.tasks.embedding_losses import AngularSoftmax, Distillation, fitting_scale
from paenet.tasks.intervals import bootstrap
from paenet.tasks.verification import draw_pairs, verify

OBJECTIVES = ("distill", "softmax", "arcface")


@dataclass(frozen=True, kw_only=True)
class Identity(Task):
    """An embedding that tells people apart by the cosine between two of them.

    Args:
        objective: "distill" imitates a teacher on faces without labels: the targets are the
            teacher's outputs, (N, D), which the caller computes. "softmax" and "arcface" learn
            from a column of identities, without and with an angular margin.
        label: the column of identities, by default "identity"; None when distilling.
        embedding: size of the embedding, at most 65536; None takes the backbone's features as
            they are.
        scale: what softmax and arcface multiply cosines with, from 1; None fits it to the number
            of people (`fitting_scale`).
        margin: radians that arcface adds to the angle to the right person, in [0, 1.5].
        scale_weight: how much distilling minds the length of an embedding beside its angle.

    Raises:
        TaskError: where a setting is out of range; names it.
    """

    kind: ClassVar[str] = "identity"

    objective: Literal["distill", "softmax", "arcface"] = "distill"
    embedding: int | None = None
    scale: float | None = None
    margin: float = 0.5
    scale_weight: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_choice("objective", self.objective, OBJECTIVES)
        if self.objective != "distill" and self.label is None:
            self._set("label", "identity")
        if self.objective == "distill" and self.label is not None:
            raise self.error(
                f"label: a distilled identity reads no labels, so {self.label!r} would be unused; "
                "remove it, or set objective to 'softmax' or 'arcface'"
            )
        self.check_embedding(self.embedding)
        if self.scale is not None:
            self.check_number("scale", self.scale, 1, 1000)
        self.check_number("margin", self.margin, 0, 1.5)
        self.check_number("scale_weight", self.scale_weight, 0, 1000)

    @property
    def metric(self) -> str:
        """`agreement` with the teacher, or `verification` of labelled people."""
        return "agreement" if self.objective == "distill" else "verification"

    def head(self, features: int) -> nn.Module:
        """None at all, or a linear layer to `embedding`: (N, features) to (N, D)."""
        return nn.Identity() if self.embedding is None else nn.Linear(features, self.embedding)

    def encode(self, columns: Columns) -> Tensor:
        """(N,) int64: people in the order of their names, counted within these rows.

        The numbers of two splits have nothing to do with each other: verification only asks
        which rows are one person, and often no person is in two splits.

        Raises:
            TaskError: also when distilling, where targets are the teacher's outputs.
        """
        labels = self.column(columns)
        for row, label in enumerate(labels):
            if not label:
                raise self.error(f"the column {self.label!r} is empty", row)
        number = {name: index for index, name in enumerate(sorted(set(labels)))}
        return torch.tensor([number[name] for name in labels], dtype=torch.int64)

    def criterion(self, features: int, targets: Tensor) -> nn.Module:
        """`Distillation`, or `AngularSoftmax` with a centre for everyone in `targets`."""
        if self.objective == "distill":
            return Distillation(self.scale_weight)
        people = int(targets.max()) + 1 if len(targets) else 0
        if people <= 1:
            raise self.error(f"the training split has {people} people; it needs two to tell apart")
        margin = self.margin if self.objective == "arcface" else 0.0
        scale = fitting_scale(people) if self.scale is None else self.scale
        return AngularSoftmax(self.embedding or features, people, scale, margin)

    def check_measurable(self, targets: Tensor) -> None:
        if self.objective != "distill":
            draw_pairs(targets.numpy())

    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Metric]:
        """`agreement`, the mean cosine to the teacher; or `verification`.

        Verification is the accuracy over pairs drawn from the rows as in LFW (`draw_pairs`,
        `verify`), every fold decided at the threshold chosen on the others.
        """
        outputs, targets = self.comparable(outputs, targets)
        if self.objective == "distill":
            cosines = functional.cosine_similarity(outputs, targets.float(), dim=1).double().numpy()
            interval = bootstrap(cosines)
            return {"agreement": Metric(float(cosines.mean()), *interval, len(cosines), "cosine")}
        pairs = draw_pairs(targets.numpy())
        found = verify(outputs[pairs.a], outputs[pairs.b], pairs.same, pairs.fold)
        return {"verification": found.metric()}
