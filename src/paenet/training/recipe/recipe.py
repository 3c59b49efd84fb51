"""A recipe: what a lifelong run learns, from which data, to which goals, at which cost."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError, ValidationInfo, field_validator

from paenet import packing
from paenet.backbones import PRETRAINED
from paenet.datasets import PLACES
from paenet.errors import suggest
from paenet.training.errors import RecipeError
from paenet.training.recipe.explaining import explain, kind_of
from paenet.training.recipe.network import Activations, Backbone, Input, Section, or_value_error
from paenet.training.recipe.plan import TaskPlan

# What of a recipe may stand in the file of one task that is added to a pack.
BESIDE = ("method", "norms", "precision", "seed", "input", "activations", "checkpoint_seconds")


class Recipe(Section):
    """A lifelong run: tasks in the order in which they are learnt.

    `order` is how a document says another order than the one in which it lists them; a recipe that
    was read has its tasks in that order, and the key is empty.
    """

    backbone: Backbone
    weights: str | None = Field(None, description="a name or a safetensors file; None is random")
    input: Input = Input()
    method: str = "pae"
    norms: Literal["own", "base"] = "own"
    precision: Literal["auto", "float32", "bf16"] = "float32"
    activations: Activations = Activations()
    tasks: tuple[TaskPlan, ...]
    order: tuple[str, ...] | None = None
    seed: int = Field(0, ge=0)
    checkpoint_seconds: float = Field(120.0, ge=0)

    @field_validator("backbone", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("method")
    @classmethod
    def _known(cls, value: str) -> str:
        or_value_error(packing.method, value)
        return value

    @field_validator("tasks")
    @classmethod
    def _distinct(cls, value: tuple[TaskPlan, ...]) -> tuple[TaskPlan, ...]:
        if not value:
            raise ValueError("empty; give at least one task")
        names = [task.name for task in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two tasks are called {name!r}; give each a name of its own")
        return value

    @field_validator("order")
    @classmethod
    def _whole(cls, value: tuple[str, ...] | None, info: ValidationInfo) -> tuple[str, ...] | None:
        if value is not None and "tasks" in info.data:
            or_value_error(check_order, value, [task.name for task in info.data["tasks"]])
        return value

    def reordered(self, order: Sequence[str]) -> Recipe:
        """The same tasks in another order.

        Raises:
            RecipeError: where a task is left out, named twice or unknown.
        """
        check_order(order, [task.name for task in self.tasks])
        plans = {task.name: task for task in self.tasks}
        return self.model_copy(
            update={"tasks": tuple(plans[name] for name in order), "order": None}
        )


def check_order(order: Sequence[str], tasks: Sequence[str]) -> None:
    """Refuses an order that does not name every task once.

    Raises:
        RecipeError: says which.
    """
    for name in order:
        if name not in tasks:
            raise RecipeError(f"no task {name!r}{suggest(name, tasks)}")
        if list(order).count(name) > 1:
            raise RecipeError(f"task {name!r} is named twice; name every task once")
    absent = [name for name in tasks if name not in order]
    if absent:
        raise RecipeError(f"task {absent[0]!r} is left out; name every task once")


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
        return yaml.load(path.read_text(encoding="utf-8"), _Loader)  # noqa: S506
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; check the path") from None
    except IsADirectoryError:
        raise RecipeError(f"{path}: a folder; give a YAML recipe") from None
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path}: not a text file; give a YAML recipe") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except (RecursionError, ValueError) as error:  # nested without end; a date of no calendar
        raise RecipeError(f"{path}: not YAML that can be read ({error})") from None


class _Loader(yaml.SafeLoader):
    """A safe loader that takes no key twice: the first would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            # A merged mapping (<<) gives what is not said beside it, and may come twice.
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"key {key.value!r} stands there twice", key.start_mark
                    )
                seen.add(key.value)
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def parse_recipe(document: Any, *, name: str = "recipe", folder: Path = Path()) -> Recipe:
    """A recipe from a plain document, as YAML gives it. See `load_recipe`."""
    if not isinstance(document, dict):
        raise RecipeError(f"{name}: holds {kind_of(document)}; a recipe is a mapping of keys")
    try:
        recipe = Recipe.model_validate(document)
    except ValidationError as error:
        raise RecipeError(f"{name}: {explain(error, Recipe)}") from None
    return _resolved(recipe, folder)


def parse_addition(document: Any, backbone: Backbone, *, name: str, folder: Path) -> Recipe:
    """The recipe of one task that is added to a pack.

    Args:
        document: the keys of one task, with those of `BESIDE` among them.
        backbone: the pack's.
        name, folder: as `parse_recipe`.

    Raises:
        RecipeError: as `load_recipe`.
    """
    if not isinstance(document, dict):
        raise RecipeError(f"{name}: holds {kind_of(document)}; give the keys of one task")
    beside = {key: value for key, value in document.items() if key in BESIDE}
    task = {key: value for key, value in document.items() if key not in BESIDE}
    try:
        recipe = Recipe.model_validate({"backbone": backbone, **beside, "tasks": [task]})
    except ValidationError as error:
        text = explain(error, Recipe, within=("tasks", 0), beside=BESIDE)
        raise RecipeError(f"{name}: {text}") from None
    if packing.method(recipe.method).separate:
        raise RecipeError(
            f"{name}: method: {recipe.method!r} gives every task a pack of its own; leave it out, "
            "or use pae run"
        )
    for key in ("size", "resize", "mean", "scale"):
        if getattr(recipe.input, key) is not None:
            raise RecipeError(f"{name}: input.{key}: the pack has one already; remove the key")
    return _resolved(recipe, folder)


def dump_recipe(recipe: Recipe) -> str:
    """The full recipe as YAML, every default written out."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _resolved(recipe: Recipe, folder: Path) -> Recipe:
    def source(spec: dict[str, Any]) -> dict[str, Any]:
        return {
            key: _absolute(value, folder) if key in PLACES and isinstance(value, str) else value
            for key, value in spec.items()
        }

    tasks = []
    for task in recipe.tasks:
        pairs = None if task.pairs is None else _absolute(task.pairs, folder)
        tasks.append(task.with_data(source).model_copy(update={"pairs": pairs}))
    weights = None if recipe.weights is None else place_weights(recipe.weights, folder)
    placed = recipe.model_copy(update={"tasks": tuple(tasks), "weights": weights})
    return placed if recipe.order is None else placed.reordered(recipe.order)


def place_weights(name_or_file: str, folder: Path) -> str:
    """The name of registered weights as it is; a file as an absolute path below `folder`.

    Raises:
        RecipeError: where it is no path.
    """
    if name_or_file in PRETRAINED:
        return name_or_file
    return _absolute(name_or_file, folder)


def _absolute(path: str, folder: Path) -> str:
    try:
        return str((folder / path).resolve())
    except (ValueError, OSError, RuntimeError) as error:  # a null byte; links in a circle
        raise RecipeError(f"{path!r}: no path ({error})") from None
