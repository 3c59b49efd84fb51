"""The terms on which methods are compared, as far as recipes do not say them already."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from paenet.errors import suggest
from paenet.packing import NATIVE, Method
from paenet.training.errors import RecipeError
from paenet.training.recipe import (
    Activations,
    Budget,
    Channels,
    Goal,
    Prune,
    Recipe,
    TaskPlan,
    Values,
    Widen,
)
from paenet.training.rivals import kind_of, rival

Rated = TypeVar("Rated", Budget, Channels, Prune, Values)


def on_equal_terms(recipe: Recipe, name: str, rate: float = 1.0) -> Recipe:
    """The recipe as a method learns it in a comparison.

    A method that never prunes trains for as many epochs as others train and prune; what the given
    network does already it keeps, and trains together with other tasks alone. A goal that is missed
    stops nothing: what is reached is what the comparison is about. What a method makes no use of is
    left out, so that its runs stand when the recipe changes there.

    Args:
        name: of the method, as it is asked for, such as `lora:16`.
        rate: multiplies its learning rates.
    """
    kind = kind_of(name)
    if isinstance(kind, type):
        plans = [_of_rival(plan, rate, together=kind.together) for plan in recipe.tasks]
        update = {"tasks": tuple(plans), "activations": Activations()}
        return recipe.model_copy(update=update)
    plans = [_of_pack(plan, rate, kind) for plan in recipe.tasks]
    return recipe.model_copy(update={"method": name, "tasks": tuple(plans)})


def recipes_of(
    recipe: Recipe, methods: Sequence[str], rates: Mapping[str, float] | None = None
) -> dict[str, Recipe]:
    """The recipe as each method of a comparison learns it, by method.

    Args:
        methods, rates: as for `compare`.

    Raises:
        RecipeError, RunError: as `compare` does before its first run.
    """
    factors = checked(methods, rates or {})
    return {name: on_equal_terms(recipe, name, rate) for name, rate in factors.items()}


def checked(methods: Sequence[str], rates: Mapping[str, float]) -> dict[str, float]:
    """The methods of a comparison, and what the learning rates of each are multiplied by.

    Raises:
        RecipeError: where there is none, one is unknown, or a rate is not above 0 or not of a
            method that is compared.
        RunError: where a method needs a library that is not installed.
    """
    if not methods:
        raise RecipeError("methods: none; give one or more, such as pae")
    for name in methods:
        rival(name)
    for name, rate in rates.items():
        if name not in methods:
            raise RecipeError(f"rates: {name!r} is not compared{suggest(name, methods)}")
        if not 0 < rate < math.inf:
            raise RecipeError(f"rates: {name}={rate:g}; give a factor above 0")
    return {name: rates.get(name, 1.0) for name in methods}


def order_matters(asked: str) -> bool:
    """Whether the order of the later tasks matters to a method; else one run tells of them all."""
    kind = kind_of(asked)
    return kind.shares if isinstance(kind, type) else kind.ordered


def _of_rival(plan: TaskPlan, rate: float, *, together: bool) -> TaskPlan:
    """A task's plan for what is no pack: it learns by the budget of the task's reference."""
    budget = plan.reference_budget()
    if together and plan.given and plan.reference is None:
        budget = plan.whole_budget()  # left out, it would be forgotten
    update: dict[str, Any] = {
        "reference": _at_rate(budget, rate),
        "budget": Budget(validate_batch=plan.budget.validate_batch),
        "goal": Goal(at_least=0.0),
        "stem": "none" if plan.stem == "auto" else plan.stem,  # a named one will be refused
        "views": None,
        "start": "given",
        "channels": Channels(),
        "prune": Prune(),
        "values": Values(),
        "widen": Widen(),
    }
    return plan.model_copy(update=update)


def _of_pack(plan: TaskPlan, rate: float, method: Method) -> TaskPlan:
    """A task's plan for a method that packs tasks."""
    reference = plan.reference_budget()  # of the budget as it was
    channels, values = plan.channels, plan.values
    if method.separate:
        budget = reference  # a network of its own is what the reference is
        channels = Channels()
        values = Values() if plan.given else Values(grid="bfloat16", epochs=0)
    else:
        grown = method.prunes == "never" and not plan.given
        budget = plan.whole_budget() if grown else plan.budget
    update: dict[str, Any] = {
        "goal": plan.goal.model_copy(update={"missed": "keep"}),
        "reference": reference,
        "budget": _at_rate(budget, rate),
        "channels": _at_rate(channels, rate),
        "pretrain": plan.pretrain
        and plan.pretrain.model_copy(update={"budget": _at_rate(plan.pretrain.budget, rate)}),
        "prune": _at_rate(plan.prune, rate),
        "values": _at_rate(values, rate),
    }
    if method.prunes == "never":
        update["prune"] = Prune(stages=0)
        if values.grid != NATIVE:  # which may train at the rate of pruning
            update["values"] = values.model_copy(update={"rate": rate * plan.values_rate})
    if method.claims != "free" or method.separate:
        update["start"] = "given"
    if method.widens == "never":
        update["widen"] = Widen()
    return plan.model_copy(update=update)


def _at_rate(section: Rated, factor: float) -> Rated:
    """A part of a plan with its learning rate, where it says one, multiplied."""
    rate = section.rate
    return section if rate is None else section.model_copy(update={"rate": rate * factor})
