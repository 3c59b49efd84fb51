"""What a recipe says of each task."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator

from paenet import packing, tasks
from paenet.errors import suggest
from paenet.training.recipe.network import Section, or_value_error


class Budget(Section):
    """What training one task may cost.

    An epoch goes once over the training examples, or over `examples` of them, drawn anew each
    time. The learning rate rises to `rate` over the first tenth and falls to zero by a cosine.
    """

    epochs: float = Field(3.0, ge=0)
    examples: int | None = Field(None, ge=2)
    batch: int = Field(32, ge=2)
    rate: float = Field(5e-4, gt=0)
    decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    validate_batch: int = Field(64, ge=1)
    statistics: Literal["batch", "fixed"] = Field(
        "batch", description="normalise by each batch, or by the running statistics as they are"
    )
    weights: Literal["train", "keep"] = Field(
        "train", description="keep: norms, biases, slopes and head are trained, weights stay"
    )


class Channels(Section):
    """Whole channels that the task gives up before its weights are pruned.

    In stages, each retrained for `epochs` at `rate`, until the part of its network that is its
    own (above its stem, where it has one) has lost the share `to` of its weights; back to the last
    stage that held the goal.
    """

    to: float = Field(0.0, ge=0, lt=1)
    stages: int = Field(2, ge=1)
    epochs: float = Field(1.0, ge=0)
    rate: float | None = Field(None, gt=0)


class Prune(Section):
    """Gradual pruning of a task's own weights, retrained after every stage.

    `epochs` is the retraining of each stage, at `rate`. Methods that prune by a fixed ratio go to
    `to` whatever happens; those that prune to the goal stop before it is missed.
    """

    to: float = Field(0.8, ge=0, lt=1)
    stages: int = Field(4, ge=0)
    epochs: float = Field(0.5, ge=0)
    rate: float | None = Field(None, gt=0)
    rank: Literal["layer", "global"] = "layer"
    bisections: int = Field(0, ge=0)


class Widen(Section):
    """Adding filters when the goal is missed: by `ratio` in parameters, at most `times` times.

    With `at_most`, the network never grows beyond so many times the weights that it began with.
    """

    ratio: float = Field(1.5, gt=1)
    times: int = Field(1, ge=0)
    at_most: float | None = Field(None, gt=1)
    width: float | dict[str, float] | None = Field(
        None, description="the widths to take instead, for one or per layer"
    )

    @field_validator("width", mode="before")
    @classmethod
    def _factors(cls, value: Any) -> Any:
        factors = value.values() if isinstance(value, dict) else [value]
        if value is not None and not all(map(_is_factor, factors)):
            raise ValueError(f"{value!r}: give a factor above 0, or a mapping of layers to factors")
        return value


class Values(Section):
    """The values that a task's weights may take in a file.

    `auto` finds the grid of the smallest file that holds the goal, or one is named. Where rounding
    alone misses the goal, `epochs` of training follow with the rounding in the loop, at `rate`.
    """

    grid: str = packing.NATIVE
    epochs: float = Field(0.25, ge=0)
    rate: float | None = Field(None, gt=0)

    @field_validator("grid")
    @classmethod
    def _known(cls, value: str) -> str:
        if value != "auto" and value not in packing.GRIDS:
            raise ValueError(f"{value!r}{suggest(value, ('auto', *packing.GRIDS))}")
        return value


class Goal(Section):
    """The least that a task's metric must reach on validation.

    Either `at_least` a value, or `within` so much of a reference: the same network fine-tuned for
    this task alone with the same data and budget (for a distilled identity, its teacher).
    """

    at_least: float | None = None
    within: float | None = Field(None, ge=0, le=1)
    missed: Literal["stop", "keep"] = Field(
        "stop", description="stop the run, or keep what was reached and go on"
    )

    @model_validator(mode="after")
    def _one(self) -> Goal:
        if (self.at_least is None) == (self.within is None):
            raise ValueError("give one of at_least and within")
        return self


def _sources(value: Any) -> Any:
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, dict) for part in parts) or parts == []:
        raise ValueError(
            f"{value!r}: give {{table: FILE}}, {{folder: DIR}}, {{dataset: NAME, root: DIR}} "
            "or {synthetic: {}}, or a list of these"
        )
    return value


Data = Annotated[dict[str, Any] | list[dict[str, Any]], BeforeValidator(_sources)]
"""Where examples come from: a mapping, or a list of mappings to be joined."""


class Pretrain(Section):
    """Other examples with a task's labels, on which it is trained before its own.

    Only their training split is used.
    """

    data: Data
    budget: Budget = Budget()


class TaskPlan(Section):
    """One task of a recipe.

    `settings` are those of its kind (see `paenet.tasks`); `pairs` adds face verification to an
    identity's test figures.
    """

    name: str
    kind: Literal["classification", "ordinal", "identity"]
    data: Data
    settings: dict[str, Any] = Field(default_factory=dict, validate_default=True)
    goal: Goal
    pretrain: Pretrain | None = None
    budget: Budget = Budget()
    channels: Channels = Channels()
    prune: Prune = Prune()
    widen: Widen = Widen()
    pairs: str | None = None
    reference: Budget | None = Field(
        None,
        description="the reference's budget; by default as much as the task's training "
        "and pruning together",
    )
    stem: str = Field(
        "none",
        description="the block up to which the task computes what the first one does; none; or "
        "auto, the cheapest in run time that holds the goal",
    )
    start: Literal["given", "zero"] = Field(
        "given",
        description="what a later task's free weights begin at: the values that the given network "
        "has there, where it is trained and at hand; or zero",
    )
    views: int | None = Field(
        None,
        ge=1,
        le=64,
        description="of each image, of what its stem makes of them; activations.views without it",
    )
    values: Values = Values()
    terms: str | None = Field(None, description="the terms of the data, kept with the weights")

    @field_validator("settings")
    @classmethod
    def _of_its_kind(cls, value: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        if {"name", "kind"} <= info.data.keys():
            for key in ("name", "kind"):
                if key in value:
                    raise ValueError(f"{key!r} belongs beside the settings, not among them")
            or_value_error(tasks.create, info.data["kind"], info.data["name"], **value)
        return value

    @field_validator("name")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", value):
            raise ValueError(f"{value!r}: give a letter, then letters, digits, - and _")
        return value

    @field_validator("pretrain")
    @classmethod
    def _same_labels(cls, value: Pretrain | None, info: ValidationInfo) -> Pretrain | None:
        if value is not None and info.data.get("kind") == "identity":
            raise ValueError("other people are other classes for an identity; join the data")
        return value

    @field_validator("values", mode="before")
    @classmethod
    def _grid(cls, value: Any) -> Any:
        return {"grid": value} if isinstance(value, str) else value

    @property
    def values_rate(self) -> float:
        """The learning rate of training with the rounding in the loop."""
        return self.values.rate or self.prune.rate or self.budget.rate / 2

    def with_data(self, change: Callable[[dict[str, Any]], dict[str, Any]]) -> TaskPlan:
        """The plan with every source of examples changed."""

        def changed(data: dict[str, Any] | list[dict[str, Any]]) -> Any:
            return [change(part) for part in data] if isinstance(data, list) else change(data)

        update: dict[str, Any] = {"data": changed(self.data)}
        if self.pretrain is not None:
            data = changed(self.pretrain.data)
            update["pretrain"] = self.pretrain.model_copy(update={"data": data})
        return self.model_copy(update=update)

    def pretraining(self) -> TaskPlan | None:
        """The plan by which the task is trained before its own data; None where it is not."""
        if self.pretrain is None:
            return None
        return self.model_copy(
            update={"data": self.pretrain.data, "budget": self.pretrain.budget, "pretrain": None}
        )

    @property
    def given(self) -> bool:
        """Whether the given network does the task as it is: imitates itself, and is only pruned."""
        imitates = self.settings.get("objective", "distill") == "distill"
        return self.kind == "identity" and imitates and self.budget.epochs == 0

    def reference_budget(self) -> Budget:
        """As many epochs as the task gets in training and in all stages of pruning.

        What the given network does as it is has no epochs.
        """
        if self.reference is not None:
            return self.reference
        return self.budget if self.given else self.whole_budget()

    def whole_budget(self) -> Budget:
        """The budget with the epochs of training and of all stages of pruning."""
        epochs = self.budget.epochs + self.prune.stages * self.prune.epochs
        return self.budget.model_copy(update={"epochs": epochs})


def _is_factor(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf
