"""A recipe: what a lifelong run learns, from which data, to which goals, at which cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from paenet.backbones import PRETRAINED
from paenet.datasets import Augment
from paenet.errors import suggest
from paenet.training.errors import RecipeError


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Backbone(_Section):
    """A backbone by name, or `module:callable` of your own, and its arguments."""

    name: str
    arguments: dict[str, Any] = Field(default_factory=dict)

    @field_validator("arguments")
    @classmethod
    def _no_width(cls, value: dict[str, Any]) -> dict[str, Any]:
        if "width" in value:
            raise ValueError("the width is what a run widens; a recipe starts at 1")
        return value


class Augmentation(_Section):
    """How training images vary; shares of the image side, degrees, and probabilities."""

    flip: float = Field(0.5, ge=0, le=1)
    zoom: tuple[float, float] = (0.9, 1.1)
    shift: float = Field(0.05, ge=0, le=0.5)
    rotate: float = Field(10.0, ge=0, le=180)
    brightness: float = Field(0.2, ge=0, le=1)
    contrast: float = Field(0.2, ge=0, le=1)
    grey: float = Field(0.1, ge=0, le=1)
    erase: float = Field(0.0, ge=0, le=1)

    def settings(self) -> Augment:
        return Augment(**self.model_dump())


class Input(_Section):
    """What the networks see. None takes the backbone's own."""

    size: int | None = Field(None, ge=8, le=1024)
    mean: float | None = None
    scale: float | None = Field(None, gt=0)
    augment: Augmentation = Augmentation()
    max_broken: float = Field(0.01, ge=0, le=1, description="share of images that may be broken")


class Budget(_Section):
    """What training one task may cost.

    An epoch goes once over the training examples, or over `examples` of them, drawn anew each
    time. The learning rate rises to `rate` over the first tenth and falls to zero by a cosine.
    """

    epochs: float = Field(3.0, ge=0)
    examples: int | None = Field(None, ge=1)
    batch: int = Field(32, ge=2)
    rate: float = Field(5e-4, gt=0)
    decay: float = Field(0.01, ge=0, description="AdamW's weight decay")
    validate_batch: int = Field(64, ge=1)


class Prune(_Section):
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


class Widen(_Section):
    """Adding filters when the goal is missed: by `ratio` in parameters, at most `times` times."""

    ratio: float = Field(1.5, gt=1)
    times: int = Field(1, ge=0)
    width: float | dict[str, float] | None = Field(
        None, description="the widths to take instead, for one or per layer"
    )


class Goal(_Section):
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


class TaskPlan(_Section):
    """One task of a recipe.

    `settings` are those of its kind (see `paenet.tasks`); `data` says where examples come from, a
    mapping or a list of mappings to be joined; `pairs` adds face verification to an identity's
    test figures.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    kind: Literal["classification", "ordinal", "identity"]
    data: dict[str, Any] | list[dict[str, Any]]
    settings: dict[str, Any] = Field(default_factory=dict)
    goal: Goal
    budget: Budget = Budget()
    prune: Prune = Prune()
    widen: Widen = Widen()
    pairs: str | None = None
    reference: Budget | None = Field(
        None,
        description="the reference's budget; by default as much as the task's training "
        "and pruning together",
    )
    stem: Literal["none"] = "none"
    values: Literal["float32"] = "float32"
    terms: str | None = Field(None, description="the terms of the data, kept with the weights")

    def reference_budget(self) -> Budget:
        """As many epochs as the task gets in training and in all stages of pruning."""
        if self.reference is not None:
            return self.reference
        epochs = self.budget.epochs + self.prune.stages * self.prune.epochs
        return self.budget.model_copy(update={"epochs": epochs})


class Recipe(_Section):
    """A lifelong run: tasks in the order in which they are learnt."""

    backbone: Backbone
    weights: str | None = Field(None, description="a name or a safetensors file; None is random")
    input: Input = Input()
    method: str = "pae"
    norms: Literal["own", "base"] = "own"
    precision: Literal["float32", "bf16"] = "float32"
    tasks: tuple[TaskPlan, ...] = Field(min_length=1)
    seed: int = Field(0, ge=0)
    checkpoint_seconds: float = Field(120.0, ge=0)

    @field_validator("backbone", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _distinct(self) -> Recipe:
        names = [task.name for task in self.tasks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tasks are called {name!r}")
        return self


def load_recipe(path: str | Path) -> Recipe:
    """Reads a recipe; paths in it are taken relative to the file and become absolute.

    Raises:
        RecipeError: names the file, the key, what was found and what is allowed.
    """
    path = Path(path)
    return parse_recipe(read_document(path), name=str(path), folder=path.parent)


def read_document(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        RecipeError: where it cannot be read, or is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe") from None
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not a text file; give a YAML recipe") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(error).split())}") from None


def parse_recipe(document: Any, *, name: str = "recipe", folder: Path = Path()) -> Recipe:
    """A recipe from a plain document, as YAML gives it. See `load_recipe`."""
    if not isinstance(document, dict):
        raise RecipeError(f"{name}: holds {_kind(document)}; a recipe is a mapping of keys")
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        raise RecipeError(f"{name}: {_explain(error)}") from None
    return _resolved(recipe, folder)


def dump_recipe(recipe: Recipe) -> str:
    """The full recipe as YAML, every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _resolved(recipe: Recipe, folder: Path) -> Recipe:
    def absolute(path: str) -> str:
        return str((folder / path).resolve())

    def source(spec: dict[str, Any]) -> dict[str, Any]:
        return {
            key: absolute(value) if key in ("table", "folder") and isinstance(value, str) else value
            for key, value in spec.items()
        }

    tasks = []
    for task in recipe.tasks:
        data = task.data
        update: dict[str, Any] = {
            "data": [source(s) for s in data] if isinstance(data, list) else source(data)
        }
        if task.pairs is not None:
            update["pairs"] = absolute(task.pairs)
        tasks.append(task.model_copy(update=update))
    weights = None if recipe.weights is None else place_weights(recipe.weights, folder)
    return recipe.model_copy(update={"tasks": tuple(tasks), "weights": weights})


def place_weights(name_or_file: str, folder: Path) -> str:
    """The name of registered weights as it is; a file as an absolute path below `folder`."""
    if name_or_file in PRETRAINED:
        return name_or_file
    return str((folder / name_or_file).resolve())


def _explain(error: ValidationError) -> str:
    """The first thing wrong, and how many more there are."""
    problems = error.errors()
    first = problems[0]
    where = _where(first["loc"])
    if first["type"] == "extra_forbidden":
        known = _fields_at(first["loc"][:-1])
        text = f"{where}: unknown key{suggest(str(first['loc'][-1]), known)}"
    elif first["type"] == "missing":
        text = f"{where}: missing; every recipe needs it"
    else:
        message = first["msg"].removeprefix("Value error, ")
        found = first.get("input")
        shown = "" if isinstance(found, (dict, list, BaseModel)) else f"{found!r}: "
        text = f"{where}: {shown}{message}" if where else message
    more = len(problems) - 1
    return text + (f" (and {more} more)" if more else "")


def _where(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _fields_at(location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at `location`."""
    section: type[BaseModel] = Recipe
    sections: dict[str, type[BaseModel]] = {
        "backbone": Backbone,
        "input": Input,
        "augment": Augmentation,
        "tasks": TaskPlan,
        "goal": Goal,
        "budget": Budget,
        "reference": Budget,
        "prune": Prune,
        "widen": Widen,
    }
    for part in location:
        if isinstance(part, str) and part in sections:
            section = sections[part]
    return list(section.model_fields)


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
