"""The terms on which methods are compared, as far as recipes do not say them already."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from paenet import packing
from paenet.errors import suggest
from paenet.training.errors import RecipeError
from paenet.training.plan import Budget, Channels, Prune, Values
from paenet.training.recipe import Recipe
from paenet.training.rivals import RIVALS

Rated = TypeVar("Rated", Budget, Channels, Prune, Values)


def on_equal_terms(recipe: Recipe, name: str, rate: float = 1.0) -> Recipe:
    """The recipe as a method learns it in a comparison.

    A method that never prunes trains for as many epochs as others train and prune; what the given
    network does already it keeps, and trains in turns with other tasks alone. A goal that is missed
    stops nothing: what is reached is what the comparison is about.

    Args:
        name: of the method.
        rate: multiplies its learning rates.
    """
    if name.partition(":")[0] in RIVALS:  # they learn by the reference's budget
        together = RIVALS[name.partition(":")[0]].together
        plans = []
        for plan in recipe.tasks:
            budget = plan.reference_budget()
            if together and plan.given and plan.reference is None:
                budget = plan.whole_budget()  # without turns of its own it would be forgotten
            plans.append(plan.model_copy(update={"reference": _at_rate(budget, rate)}))
        return recipe.model_copy(update={"tasks": tuple(plans)})
    method = packing.method(name)
    plans = []
    for plan in recipe.tasks:
        reference = plan.reference_budget()  # of the budget as it was
        goal = plan.goal.model_copy(update={"missed": "keep"})
        update: dict[str, Any] = {"goal": goal, "reference": reference}
        if method.separate:
            budget = reference  # a network of its own is what the reference is
        else:
            grown = method.prunes == "never" and not plan.given
            budget = plan.whole_budget() if grown else plan.budget
        update["budget"] = _at_rate(budget, rate)
        for part in ("channels", "prune", "values"):
            update[part] = _at_rate(getattr(plan, part), rate)
        plans.append(plan.model_copy(update=update))
    return recipe.model_copy(update={"method": name, "tasks": tuple(plans)})


def checked_rates(rates: Mapping[str, float], methods: Collection[str]) -> dict[str, float]:
    """What to multiply the learning rates of every method by.

    Raises:
        RecipeError: where one is not above 0, or not of a method that is compared.
    """
    for name, rate in rates.items():
        if name not in methods:
            raise RecipeError(f"rates: {name!r} is not compared{suggest(name, methods)}")
        if not 0 < rate < math.inf:
            raise RecipeError(f"rates: {name}={rate:g}; give a factor above 0")
    return {name: rates.get(name, 1.0) for name in methods}


def order_matters(asked: str) -> bool:
    """Whether the order of the later tasks matters to a method; else one run tells of them all."""
    name = asked.partition(":")[0]
    return RIVALS[name].shares if name in RIVALS else packing.method(name).ordered


def _at_rate(section: Rated, factor: float) -> Rated:
    """A part of a plan with its learning rate, where it says one, multiplied."""
    rate = section.rate
    return section if rate is None else section.model_copy(update={"rate": rate * factor})
