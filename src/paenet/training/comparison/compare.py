"""Methods on equal terms: every method, seed and order of tasks in a run of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

from paenet.errors import PaenetError
from paenet.packing import Method
from paenet.training.base import base_of_recipe
from paenet.training.comparison.course import Course, courses_of
from paenet.training.comparison.report import FILE, Report
from paenet.training.comparison.side_by_side import finished
from paenet.training.comparison.terms import checked
from paenet.training.errors import RecipeError, RunError
from paenet.training.machine import choose_precision, launched
from paenet.training.recipe import Recipe
from paenet.training.records import Reporter, Silent
from paenet.training.rivals import kind_of


def compare(
    recipe: Recipe,
    methods: Sequence[str],
    out: str | Path,
    *,
    seeds: Sequence[int] = (0,),
    orders: Sequence[Sequence[str]] | None = None,
    rates: Mapping[str, float] | None = None,
    workers: int = 1,
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
        workers: how many runs run at a time, each in a process of its own with its share of the
            threads. Figures depend on the number of threads as far as floating point does.
        limit, cache, reporter: as for `run`; with workers, `reporter` is told of results alone.
        command: kept in the report.

    Returns:
        The report, as JSON; docs/compare.md describes it.

    Raises:
        RecipeError: where a method is unknown, a rate is not above 0 or not of a method that is
            compared, an order does not name every task once, or there are no workers.
        RunError: where a method needs a library that is not installed, or none came to its end.
    """
    out = Path(out)
    rates = checked(methods, rates or {})
    if not seeds or min(seeds) < 0:
        raise RecipeError(f"seeds: {list(seeds) or 'none'}; give one or more, 0 or above")
    if workers < 1:
        raise RecipeError(f"workers: {workers}; give 1 or more")
    once = dict.fromkeys(tuple(order) for order in orders or ())
    ordered = [recipe.reordered(order) for order in once] or [recipe]
    # For all runs, wherever each goes on.
    precision = choose_precision(recipe.precision, launched().device)
    recipes = [
        each.model_copy(update={"seed": seed, "precision": precision})
        for seed in dict.fromkeys(seeds)
        for each in ordered
    ]
    reporter = reporter or Silent()
    base_of_recipe(recipe)  # the weights are checked before any run
    about = {name: {"about": _about(name), "rate": rates[name]} for name in rates}
    report = Report(out, about, recipes, command=command, limit=limit)
    courses = []
    for course in _in_turns(
        courses_of(name, rate, recipes, out, limit, cache) for name, rate in rates.items()
    ):
        if not course.folder.exists() and all(report.knows(course.method, r) for r in course.asked):
            reporter.say(f"{course.title}: as {out / FILE} has it")
        else:
            courses.append(course)
    for course, found in finished(courses, workers, reporter):
        if isinstance(found, PaenetError):
            reporter.say(f"{course.title}: failed: {found}")
            for each in course.asked:
                report.failed(course.method, each, str(found))
            continue
        where = course.folder.relative_to(out).as_posix()
        for each, outcome in zip(course.asked, found, strict=True):
            report.learnt(course.method, each, {"folder": where, **outcome})
    document = report.document()
    if not any(method["runs"] for method in document["methods"].values()):
        name, method = next(iter(document["methods"].items()))
        raise RunError(f"no method came to its end; {name}: {method['failed'][0]['reason']}")
    report.write()  # where every run is known, too: another command may have asked for others
    return document


def _in_turns(of_methods: Iterable[Sequence[Course]]) -> Iterator[Course]:
    """One run of each method, then the next of each.

    Those of one method begin with the same task, for which all but one would wait side by side.
    """
    for turn in zip_longest(*of_methods):
        yield from (course for course in turn if course is not None)


def _about(asked: str) -> str:
    """What a method is, in a line."""
    kind = kind_of(asked)
    if isinstance(kind, type):
        return kind.about
    columns = [(field.name, getattr(kind, field.name)) for field in fields(Method)]
    return ", ".join(f"{column} {value}" for column, value in columns if value is not False)
