"""The first task of a comparison, learnt once for all runs in which it comes out the same."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from paenet.files import replacing
from paenet.packing import METHODS, method
from paenet.training.machine import alone, launched
from paenet.training.recipe import Recipe
from paenet.training.records import RECORD, Reporter
from paenet.training.run import PACK, run

FOLDER = "first"


def begin(
    recipe: Recipe,
    folder: Path,
    comparison: Path,
    *,
    limit: int | None,
    cache: Path | None,
    reporter: Reporter,
) -> None:
    """Starts a run of a pack where its first task is learnt; one that has begun is left alone.

    The task is learnt in a directory of its own, by one of the runs that need it; the others wait
    for that one, and take its pack and its record over.

    Args:
        recipe: of the run.
        folder: of the run.
        comparison: of all runs.
        limit, cache, reporter: as for `training.run`.

    Raises:
        As `training.run`.
    """
    # Processes that share a run would lose one another while one of them waits.
    if (folder / RECORD).exists() or launched().num_processes > 1:
        return
    first = _first_of(recipe)
    shared = comparison / FOLDER / _name(first, limit)
    shared.parent.mkdir(parents=True, exist_ok=True)
    lock = shared.with_name(f"{shared.name}.lock")
    with alone(lock, lambda: reporter.say(f"{first.tasks[0].name}: another run learns it")):
        if (folder / RECORD).exists():  # another command has begun it meanwhile
            return
        run(first, shared, limit=limit, cache=cache, reporter=reporter)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (PACK, RECORD):  # the record last: with it the run has begun
            with replacing(folder / name) as beside:
                shutil.copyfile(shared / name, beside)


def _first_of(recipe: Recipe) -> Recipe:
    """The recipe's first task alone, by the first of all methods to which it is the same.

    It owns the base and stands on nothing, so that methods differ in how they prune it and whether
    they add filters where its goal is missed.
    """
    own = method(recipe.method)
    alike = next(
        name
        for name, other in METHODS.items()
        if other.prunes == own.prunes
        and (other.widens == "when-missed") == (own.widens == "when-missed")
    )
    tasks = recipe.tasks[:1]
    return recipe.model_copy(update={"method": alike, "tasks": tasks, "order": None})


def _name(first: Recipe, limit: int | None) -> str:
    """Of the directory: what it holds, and a hash of all that it depends on."""
    # Left out where it says nothing: what was learnt before there was this key counts on.
    silent = {"input": {"resize"}} if first.input.resize is None else None
    parts = f"{first.model_dump_json(exclude=silent)} {limit}"
    digest = hashlib.sha256(parts.encode()).hexdigest()[:12]
    return f"seed-{first.seed}-{first.tasks[0].name[:80]}-{digest}"
