"""A rival's tasks, lesson after lesson: trained, judged, kept and put on record."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paenet.training.algorithm import check_data, material_of
from paenet.training.base import base_of_recipe
from paenet.training.errors import RunError
from paenet.training.examples import Material, place
from paenet.training.loop import fit, halved, load_tensors, round_to_halves, save_tensors
from paenet.training.recipe import Recipe, TaskPlan
from paenet.training.records import Reporter
from paenet.training.rivals.rival import Kept, Rival, Start
from paenet.training.run import open_session
from paenet.training.session import Session

_ONCE = "base.safetensors"  # what is kept once for all lessons


def run_rival(
    recipe: Recipe,
    name: str,
    make: Callable[[Start], Rival],
    out: str | Path,
    *,
    limit: int | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> Rival:
    """Learns the tasks of `recipe` by a method that is no pack; goes on where it was.

    What is learnt lies in `out` as safetensors files of 16 bits, see `files_of`; the record has one
    entry for each lesson, `NAME/learnt`, with what every task's network then reaches.

    Args:
        name: what the method is called.
        make: see `Rival.choose`.
        out, limit, cache, reporter: as for `run`.

    Raises:
        RecipeError: where the method cannot run the recipe.
        RunError, and the errors of data and weights.
    """
    base = base_of_recipe(recipe)
    facts: dict[str, Any] = {"rival": name}
    # What the recipe says of packs' methods is nothing to a rival.
    recipe = recipe.model_copy(update={"method": "individual"})
    with open_session(
        recipe, Path(out), base, limit=limit, cache=cache, reporter=reporter, facts=facts
    ) as session:
        rival = make(Start(session, base))
        rival.check()
        _Lessons(session, rival).run()
    return rival


def files_of(folder: Path, tasks: Sequence[str], rival: Rival) -> list[Path]:
    """What a rival has to keep of a finished run.

    Args:
        folder: of the run.
        tasks: the names of those that it has learnt.
    """
    kept = [_file(folder, task) for task in (tasks[-1:] if rival.shares else tasks)]
    return [folder / _ONCE, *kept] if rival.kept_once() else kept


def _file(folder: Path, last: str) -> Path:
    """Where the lesson is kept that ended with a task."""
    return folder / f"task-{last}.safetensors"


class _Lessons:
    """The lessons of one rival."""

    def __init__(self, session: Session, rival: Rival) -> None:
        self._session = session
        self._rival = rival
        self._opened: dict[str, Material] = {}
        tasks = list(session.recipe.tasks)
        self._lessons = [tasks] if rival.together else [[plan] for plan in tasks]

    def run(self) -> None:
        session, rival = self._session, self._rival
        done = 0
        while done < len(self._lessons) and self._result(self._lessons[done]) is not None:
            done += 1
        if done < len(self._lessons):
            for lesson in self._lessons[done:]:
                for plan in lesson:
                    check_data(session, plan)
            if done:
                learnt = [plan for lesson in self._lessons[:done] for plan in lesson]
                rival.restore(learnt, self._read)
            elif (once := rival.kept_once()) and session.accelerator.is_main_process:
                save_tensors(session.folder / _ONCE, halved(once), {})
            for index in range(done, len(self._lessons)):
                self._learn(index)
        # Also after a kill between the record and this.
        if session.accelerator.is_main_process:
            session.checkpoint.unlink(missing_ok=True)
            self._drop_replaced(self._lessons[-1])
            tasks = [plan.name for lesson in self._lessons for plan in lesson]
            for path in files_of(session.folder, tasks, rival):
                self._refuse_missing(path)

    def _learn(self, index: int) -> None:
        session, rival, lesson = self._session, self._rival, self._lessons[index]
        work = rival.lesson([self._material(plan) for plan in lesson])
        place(work.trainee, session.accelerator.device)
        seconds = fit(
            work.stage,
            work.trainee,
            work.batches,
            accelerator=session.accelerator,
            checkpoint=session.checkpoint,
            checkpoint_seconds=session.recipe.checkpoint_seconds,
            origin={
                "lessons": self._digest(self._lessons[: index + 1]),
                # Each takes its share of every batch, and norms see that alone.
                "processes": str(session.accelerator.num_processes),
            },
            reporter=session.reporter,
        )
        round_to_halves(rival.kept())  # what is judged is what is stored
        judged = self._lessons[: index + 1] if rival.shares else [lesson]
        found = {plan.name: self._judge(plan) for tasks in judged for plan in tasks}
        if session.accelerator.is_main_process:
            save_tensors(self._file(lesson[-1]), halved(rival.kept()), {})
        session.journal.write(
            _key(lesson),
            lessons=self._digest(self._lessons[: index + 1]),
            judged=found,
            seconds=round(seconds, 3),
        )
        for plan in lesson:
            metric = self._material(plan).task.metric
            value = found[plan.name]["val"][metric]["value"]
            session.reporter.say(f"{plan.name}: trained: {metric} {value:.4f} on validation")
        if session.accelerator.is_main_process:
            session.checkpoint.unlink(missing_ok=True)
        session.accelerator.wait_for_everyone()  # another process may still be reading
        if session.accelerator.is_main_process:
            self._drop_replaced(lesson)

    def _drop_replaced(self, lesson: Sequence[TaskPlan]) -> None:
        """Removes what was kept of lessons that a later one has replaced."""
        if self._rival.shares:
            for path in self._session.folder.glob("task-*.safetensors"):
                if path != self._file(lesson[-1]):
                    path.unlink()

    def _judge(self, plan: TaskPlan) -> dict[str, Any]:
        material, network = self._material(plan), self._rival.network(plan.name)
        network.eval()
        return {
            "metric": material.task.metric,
            "val": material.measure(network, material.val),
            "test": material.test_metrics(network),
        }

    def _material(self, plan: TaskPlan) -> Material:
        if plan.name not in self._opened:
            start = self._rival.start
            self._opened[plan.name] = material_of(self._session, start.base, plan)
        return self._opened[plan.name]

    def _result(self, lesson: Sequence[TaskPlan]) -> dict[str, Any] | None:
        """What is on record of a lesson, where it and all before it had today's plans."""
        entry = self._session.journal.result(_key(lesson))
        upto = self._lessons[: self._lessons.index(list(lesson)) + 1]
        return entry if entry and entry["lessons"] == self._digest(upto) else None

    def _digest(self, lessons: Sequence[Sequence[TaskPlan]]) -> str:
        """A short hash of the plans of some lessons."""
        plans = [self._session.journal.plan(plan.name) for tasks in lessons for plan in tasks]
        return hashlib.sha256("+".join(plans).encode()).hexdigest()[:12]

    def _file(self, last: TaskPlan) -> Path:
        return _file(self._session.folder, last.name)

    def _read(self, last: TaskPlan) -> Kept:
        path = self._file(last)
        self._refuse_missing(path)
        return load_tensors(path)

    def _refuse_missing(self, path: Path) -> None:
        if not path.exists():
            raise RunError(
                f"{path}: is missing, though what it holds is on record; put it back, or move "
                f"{self._session.folder} away to learn anew"
            )


def _key(lesson: Sequence[TaskPlan]) -> str:
    return "+".join(plan.name for plan in lesson) + "/learnt"
