"""What every task is: a head, a criterion, targets, metrics; and nothing about files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.tasks.errors import TaskError

Unit = Literal["share", "years", "cosine"]
Columns = Mapping[str, Sequence[str]]

LARGEST_EMBEDDING = 2**16


@dataclass(frozen=True, slots=True)
class Metric:
    """One measured number.

    Attributes:
        value: what was measured, in `unit`.
        low, high: its 95 % interval.
        count: how many examples (for a verification: pairs) it was measured on.
        unit: "share" (0 to 1), "years", or "cosine" (-1 to 1).
        higher_is_better: False for errors.
    """

    value: float
    low: float
    high: float
    count: int
    unit: Unit
    higher_is_better: bool = True


@dataclass(frozen=True, kw_only=True)
class Task(ABC):
    """A task as data; two with equal settings are equal.

    A task does not know its backbone: it is given the number of features the backbone returns.

    Attributes:
        kind: how `paenet.tasks.create` calls this sort of task.
        name: the task's own name, as a pack stores it.
        label: the column of the examples that holds the label, None where there is none.
    """

    kind: ClassVar[str]

    name: str
    label: str | None = None

    @property
    @abstractmethod
    def metric(self) -> str:
        """The metric that a goal is about, one of those `measure` returns; higher is better."""

    @abstractmethod
    def head(self, features: int) -> nn.Module:
        """The layers from the backbone's features, (N, features), to the task's outputs."""

    @abstractmethod
    def encode(self, columns: Columns) -> Tensor:
        """Labels as targets: (N,) int64 or (N, k) float32.

        Args:
            columns: by name, one string for each row.

        Raises:
            TaskError: where the column is missing or a label is not known; names the row.
        """

    @abstractmethod
    def criterion(self, features: int, targets: Tensor) -> nn.Module:
        """The loss, called with (outputs, targets); returns a float32 scalar.

        Its parameters, if any, are trained with the network and then thrown away.

        Args:
            features: what `head` was given.
            targets: those of the whole training split.
        """

    @abstractmethod
    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, Metric]:
        """All metrics of a split, with 95 % intervals; the same input gives the same numbers.

        Args:
            outputs: (N, …), the head's, of any dtype, on any device.
            targets: the split's, in the same order.

        Raises:
            TaskError: where there is nothing to measure, or the outputs are not finite.
        """

    def check_measurable(self, targets: Tensor) -> None:  # noqa: B027 - most can measure anything
        """Refuses targets of which `measure` could say nothing, whatever a network says.

        Raises:
            TaskError: with the reason.
        """

    def describe(self) -> dict[str, Any]:
        """Everything as JSON types: `create(**task.describe()) == task`."""
        settings = {field.name: getattr(self, field.name) for field in fields(self)}
        return {"kind": self.kind} | {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in settings.items()
        }

    def error(self, message: str, row: int | None = None) -> TaskError:
        """An error that starts with the task's name, and with the row, which it counts from 1."""
        place = "" if row is None else f"row {row + 1}: "
        return TaskError(f"task {self.name!r}: {place}{message}", row)

    def column(self, columns: Columns) -> Sequence[str]:
        """The labels.

        Raises:
            TaskError: where there is no such column; offers the nearest.
        """
        if self.label is None:
            raise self.error("has no label column, so its targets do not come from a table")
        if self.label not in columns:
            raise self.error(
                f"the examples have no column {self.label!r}{suggest(self.label, columns)} "
                "(the key 'label' says which column to read)"
            )
        return columns[self.label]

    def comparable(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs as float32 and targets, both detached and on the CPU.

        Raises:
            TaskError: where they are empty, of different lengths, or not finite.
        """
        if len(outputs) != len(targets):
            raise self.error(
                f"{len(outputs)} outputs cannot be held against {len(targets)} targets"
            )
        if len(outputs) == 0:
            raise self.error("there are no examples to measure on")
        outputs = outputs.detach().to("cpu", torch.float32)
        broken = ~outputs.isfinite().flatten(1).all(1)
        if broken.any():
            raise self.error(
                f"{int(broken.sum())} of {len(outputs)} outputs are not finite: the training "
                "diverged; lower the learning rate"
            )
        return outputs, targets.detach().cpu()

    def check_text(self, key: str, value: object) -> None:
        """Refuses anything but non-empty text: YAML reads a bare yes, no or 1 as something else."""
        if not isinstance(value, str) or not value:
            raise self.error(f"{key}: {value!r} is not a text; put it in quotes")

    def check_choice(self, key: str, value: object, known: Sequence[str]) -> None:
        """Refuses a value that is not one of `known`; offers the nearest."""
        if value not in known:
            raise self.error(f"{key}: {value!r} does not exist{suggest(str(value), known)}")

    def check_number(self, key: str, value: object, low: float, high: float) -> None:
        """Refuses what is not a number from `low` to `high`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low <= value <= high:  # type: ignore[operator]
            raise self.error(f"{key}: {value!r} is not a number from {low:g} to {high:g}")

    def check_embedding(self, size: object) -> None:
        """Refuses what is neither None nor a whole number from 1 to `LARGEST_EMBEDDING`."""
        whole = isinstance(size, int) and not isinstance(size, bool)
        if size is not None and not (whole and 1 <= size <= LARGEST_EMBEDDING):  # type: ignore[operator]
            raise self.error(
                f"embedding: {size!r} is not a whole number from 1 to {LARGEST_EMBEDDING}, nor none"
            )

    def __post_init__(self) -> None:
        self.check_text("name", self.name)
        if self.label is not None:
            self.check_text("label", self.label)

    def _set(self, key: str, value: object) -> None:
        """Completes a setting while the task is being made; frozen afterwards."""
        object.__setattr__(self, key, value)
