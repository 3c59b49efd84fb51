"""A lifelong run: the tasks of a recipe, one after another, into one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from accelerate import Accelerator, PartialState
from accelerate.state import AcceleratorState

from paenet import packfile, packing
from paenet.packing import Pack
from paenet.training.algorithm import add_task, check_material
from paenet.training.base import Base, base_of_recipe
from paenet.training.locking import reserving
from paenet.training.machine import cache_folder, choose_precision, is_emulated, launched, versions
from paenet.training.recipe import Recipe
from paenet.training.records import Journal, Reporter, Silent
from paenet.training.session import Session

PACK = "pack.pae"
"""What a run writes."""


def run(
    recipe: Recipe,
    out: str | Path,
    *,
    limit: int | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Learns the tasks of `recipe` one after another into `out/pack.pae`.

    Killed at any moment and called again, it goes on where it was and ends with the fingerprints
    of a run that was never killed. A method that gives each task a network of its own writes
    `out/NAME.pae` for each.

    Args:
        recipe: what to learn.
        out: the run's directory: the pack, `record.jsonl`, `recipe.yaml`.
        limit: at most so many examples of every split, to try a recipe out; goals, which are set
            for all of them, are then measured and stop nothing.
        cache: where decoded images and references are kept; the user's cache by default.
        reporter: told what happens.

    Returns:
        The pack's path (the directory, where each task has its own).

    Raises:
        RecipeError, RunError, GoalMissed, and the errors of data, weights and packs.
    """
    out = Path(out)
    method = packing.method(recipe.method)
    base = base_of_recipe(recipe)
    paths = [out / (f"{plan.name}.pae" if method.separate else PACK) for plan in recipe.tasks]
    with ExitStack() as stack:
        session = stack.enter_context(
            open_session(recipe, out, base, limit=limit, cache=cache, reporter=reporter)
        )
        for path in dict.fromkeys(paths):
            stack.enter_context(reserving(path))
        for plan in recipe.tasks:
            first = method.separate or plan is recipe.tasks[0]
            check_material(session, base, plan, first=first)
        pack: Pack | None = None
        for plan, path in zip(recipe.tasks, paths, strict=True):
            if pack is None or method.separate:
                pack = (
                    packfile.read(path, backbone=base.own_builder).pack
                    if path.exists()
                    else base.pack()
                )
            add_task(session, base, plan, pack, path)
    return out if method.separate else out / PACK


@contextmanager
def open_session(
    recipe: Recipe,
    folder: Path,
    base: Base,
    *,
    limit: int | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Iterator[Session]:
    """Opens a run's directory for this process and keeps others out.

    Args:
        facts: what the results depend on beside the recipe and `limit`, as JSON.

    Raises:
        RunError: where another run is at work there, or it holds the run of another recipe.
    """
    AcceleratorState._reset_state()  # a process may hold several runs, of different precision
    processes = launched()
    if reporter is None or not processes.is_main_process:
        reporter = Silent()
    weights = None if base.weights is None else base.weights["sha256"]
    facts = {"limit": limit, "weights": weights, **(facts or {})}
    journal = Journal(folder, recipe, facts, writes=processes.is_main_process)
    with ExitStack() as stack:
        stack.callback(reporter.close)
        with processes.main_process_first():
            stack.enter_context(journal)
            about = journal.result("run") or _begin(journal, recipe, limit, processes)
        processes.wait_for_everyone()
        precision = about["precision"]
        if is_emulated(precision, processes.device):
            reporter.say(
                "bfloat16 is emulated here, at several times the time of float32; "
                "'precision: auto' takes what is fast"
            )
        yield Session(
            recipe=recipe,
            method=packing.method(recipe.method),
            folder=folder,
            cache=cache or cache_folder(),
            view=base.view,
            features=base.features,
            limit=limit,
            precision=precision,
            weights=weights,
            accelerator=Accelerator(mixed_precision="bf16" if precision == "bf16" else "no"),
            journal=journal,
            reporter=reporter,
        )


def _begin(
    journal: Journal, recipe: Recipe, limit: int | None, state: PartialState
) -> dict[str, Any]:
    """Records what a run depends on beside its recipe; one that goes on elsewhere keeps it."""
    return journal.write(
        "run",
        limit=limit,
        precision=choose_precision(recipe.precision, state.device),
        processes=state.num_processes,
        versions=versions(),
    )
