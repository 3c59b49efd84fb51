"""One run of a comparison, from its start, or from where it was, to what came out of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paenet import packing
from paenet.training.base import base_of_recipe
from paenet.training.comparison.beginning import begin
from paenet.training.comparison.outcome import outcome_of_packs, outcome_of_rival
from paenet.training.comparison.terms import on_equal_terms, order_matters
from paenet.training.recipe import Recipe
from paenet.training.records import Reporter
from paenet.training.rivals import rival, run_rival
from paenet.training.run import run


@dataclass(frozen=True)
class Course:
    """A run that a comparison needs; fit to be sent to another process.

    Attributes:
        method: its name, as it was asked for.
        rate: what its learning rates are multiplied by.
        asked: the recipes that its outcome tells of: the same tasks in one order or in several.
        comparison: the directory of all runs.
        folder: of this one.
        limit, cache: as for `training.run`.
    """

    method: str
    rate: float
    asked: tuple[Recipe, ...]
    comparison: Path
    folder: Path
    limit: int | None
    cache: Path | None

    @property
    def title(self) -> str:
        first = self.asked[0]
        return f"{self.method}, seed {first.seed}: {', '.join(_names(first))}"

    def outcomes(self, reporter: Reporter) -> list[dict[str, Any]]:
        """Learns what is not learnt yet; one outcome for each recipe that is asked for.

        Raises:
            PaenetError: where the method cannot run the recipe, or fails.
        """
        recipe = on_equal_terms(_learnt_as(self.method, self.asked[0]), self.method, self.rate)
        make = rival(self.method)
        orders = [_names(recipe) for recipe in self.asked]
        if make is not None:
            learnt = run_rival(
                recipe,
                self.method,
                make,
                self.folder,
                limit=self.limit,
                cache=self.cache,
                reporter=reporter,
            )
            return [outcome_of_rival(self.folder, order, learnt) for order in orders]
        separate = packing.method(self.method).separate
        if not separate:
            begin(
                recipe,
                self.folder,
                self.comparison,
                limit=self.limit,
                cache=self.cache,
                reporter=reporter,
            )
        run(recipe, self.folder, limit=self.limit, cache=self.cache, reporter=reporter)
        builder = base_of_recipe(recipe).own_builder
        return [
            outcome_of_packs(self.folder, order, separate=separate, builder=builder)
            for order in orders
        ]


def courses_of(
    method: str,
    rate: float,
    recipes: Iterable[Recipe],
    out: Path,
    limit: int | None,
    cache: Path | None,
) -> list[Course]:
    """The runs that a method needs for `recipes`: one for all orders that are nothing to it."""
    asked: dict[Path, list[Recipe]] = {}
    for recipe in recipes:
        order = _short(_names(_learnt_as(method, recipe)))
        name = method.replace(":", "-") + (f"@{rate:g}" if rate != 1 else "")
        folder = out / name / f"seed-{recipe.seed}-{order}"
        asked.setdefault(folder, []).append(recipe)
    return [
        Course(method, rate, tuple(several), out, folder, limit, cache)
        for folder, several in asked.items()
    ]


def _learnt_as(method: str, recipe: Recipe) -> Recipe:
    """The recipe in the order in which a method learns its tasks."""
    first, *later = _names(recipe)
    return recipe if order_matters(method) else recipe.reordered([first, *sorted(later)])


def _names(recipe: Recipe) -> list[str]:
    return [plan.name for plan in recipe.tasks]


def _short(order: list[str]) -> str:
    """An order as a folder's name, which a file system may hold to 255 bytes."""
    name = "+".join(order)
    if len(name) <= 100:
        return name
    return f"{name[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
