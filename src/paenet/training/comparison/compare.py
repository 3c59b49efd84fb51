"""Methods on equal terms: every method, seed and order of tasks in a run of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from itertools import product
from pathlib import Path
from typing import Any

from paenet import packing
from paenet.errors import PaenetError
from paenet.packing import Method
from paenet.packing.widening import Builder
from paenet.training.base import base_of_recipe
from paenet.training.comparison.outcome import outcome_of_packs, outcome_of_rival
from paenet.training.comparison.report import FILE, Report
from paenet.training.comparison.terms import checked_rates, on_equal_terms, order_matters
from paenet.training.errors import RecipeError, RunError
from paenet.training.progress import Reporter, Silent
from paenet.training.recipe import Recipe
from paenet.training.rivals import RIVALS, Rival, Start, rival, run_rival
from paenet.training.run import run


def compare(
    recipe: Recipe,
    methods: Sequence[str],
    out: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    orders: Sequence[Sequence[str]] | None = None,
    rates: Mapping[str, float] | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
    command: str | None = None,
) -> dict[str, Any]:
    """Learns a recipe by several methods and says what each reaches and costs.

    Every run has a directory of its own below `out` and goes on where it was; one whose directory
    is gone counts as the report has it, and one serves every order of the later tasks where they
    are nothing to each other. All start from the same given network and have the same
    data, loop, seeds and epochs (see docs/compare.md). A method that cannot run the recipe, or
    fails, is named in the report; the others go on.

    Args:
        recipe: what to learn; its own `method` and `seed` count for nothing here.
        methods: of `packing.METHODS` and `rivals.RIVALS`, such as `lora:16`.
        out: the directory; the report is kept there, in `comparison.json`, after every run.
        seeds: of the runs.
        orders: of the tasks, by name; the recipe's own by default.
        rates: by method, what to multiply its learning rates by; 1 where nothing is said. Those
            of the networks that goals are measured against stay.
        limit, cache, reporter: as for `run`.
        command: kept in the report.

    Returns:
        The report, as JSON; docs/compare.md describes it.

    Raises:
        RecipeError: where a method is unknown, a rate is not above 0 or not of a method that is
            compared, or an order does not name every task once.
        RunError: where no method came to its end.
    """
    out = Path(out)
    makes = {name: rival(name) for name in methods}
    if not makes or not seeds or min(seeds) < 0:
        raise RecipeError("compare needs a method and a seed, 0 or above")
    rates = checked_rates(rates or {}, makes)
    ordered = [recipe.reordered(order) for order in orders] if orders else [recipe]
    recipes = [
        each.model_copy(update={"seed": seed}) for seed in dict.fromkeys(seeds) for each in ordered
    ]
    reporter = reporter or Silent()
    builder = base_of_recipe(recipe).own_builder  # and the weights are checked before any run
    about = {name: {"about": _about(name), "rate": rates[name]} for name in makes}
    report = Report(out, about, recipes, command=command, limit=limit)
    for (name, make), each in product(makes.items(), recipes):
        order = [plan.name for plan in each.tasks]
        course = each if order_matters(name) else each.reordered([order[0], *sorted(order[1:])])
        folder = out / name.replace(":", "-") / f"seed-{each.seed}-{_short(course)}"
        title = f"{name}, seed {each.seed}"
        if report.knows(name, each) and not folder.exists():
            reporter.say(f"{title}: {', '.join(order)}: as {out / FILE} has it")
            continue
        reporter.say(f"{title}: {', '.join(order)}")
        try:
            terms = on_equal_terms(course, name, rates[name])
            outcome = _run(terms, name, make, folder, order, builder, limit, cache, reporter)
        except PaenetError as error:
            reporter.say(f"{title}: failed: {error}")
            report.failed(name, each, str(error))
        else:
            where = folder.relative_to(out).as_posix()
            report.learnt(name, each, {"folder": where, **outcome})
    document = report.document()
    if not any(method["runs"] for method in document["methods"].values()):
        name, method = next(iter(document["methods"].items()))
        raise RunError(f"no method came to its end; {name}: {method['failed'][0]['reason']}")
    return document


def _run(
    recipe: Recipe,
    name: str,
    make: Callable[[Start], Rival] | None,
    folder: Path,
    tasks: Sequence[str],
    builder: Builder | None,
    limit: int | None,
    cache: Path | None,
    reporter: Reporter,
) -> dict[str, Any]:
    """One run from its start, or from where it was, to its outcome for an order of `tasks`."""
    if make is not None:
        learnt = run_rival(recipe, name, make, folder, limit=limit, cache=cache, reporter=reporter)
        return outcome_of_rival(folder, tasks, learnt)
    run(recipe, folder, limit=limit, cache=cache, reporter=reporter)
    separate = packing.method(name).separate
    return outcome_of_packs(folder, tasks, separate=separate, builder=builder)


def _about(asked: str) -> str:
    """What a method is, in a line."""
    name = asked.partition(":")[0]
    if name in RIVALS:
        return RIVALS[name].about
    method = packing.METHODS[name]
    columns = [(field.name, getattr(method, field.name)) for field in fields(Method)]
    return ", ".join(f"{column} {value}" for column, value in columns if value is not False)


def _short(recipe: Recipe) -> str:
    """An order as a folder's name, which a file system may hold to 255 bytes."""
    name = "+".join(plan.name for plan in recipe.tasks)
    if len(name) <= 100:
        return name
    return f"{name[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
