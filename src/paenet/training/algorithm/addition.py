"""One more task into a pack: goal, Algorithm 1, the file, the proof that nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from paenet import packfile, packing
from paenet.datasets import origins
from paenet.packing import Pack
from paenet.training.algorithm.checking import material_of
from paenet.training.algorithm.feeding import Views, room, stored
from paenet.training.algorithm.learning import learn
from paenet.training.algorithm.reference import reference
from paenet.training.algorithm.stages import forget_states
from paenet.training.algorithm.stemming import can_share, stems_to_try
from paenet.training.base import Base
from paenet.training.errors import RunError
from paenet.training.examples import Material, Split, make_task, open_split, output_digest
from paenet.training.recipe import TaskPlan
from paenet.training.session import Session

PROBES = 64  # images on which the outputs of learnt tasks are held against what they were


def add_task(session: Session, base: Base, plan: TaskPlan, pack: Pack, path: Path) -> None:
    """Learns one more task into `pack` and writes it to `path`; does nothing where it is done.

    Raises:
        GoalMissed: where the goal is out of reach; the pack is as it was.
        RunError: where the task is on record, but not in the pack.
    """
    learnt = session.journal.result(f"{plan.name}/learnt")
    if learnt is None:
        _Addition(session, base, plan, pack, path).run()
        session.accelerator.wait_for_everyone()
    elif plan.name not in pack.tasks or (
        pack.fingerprint(plan.name) != learnt["tasks"][plan.name]["fingerprint"]
    ):
        raise RunError(
            f"{path}: does not hold task {plan.name!r} as {session.journal.record} has it; put "
            "that file back, or move the run's directory away to learn the task anew"
        )
    if session.accelerator.is_main_process:  # again where a kill came between
        forget_states(session, plan.name)


class _Addition:
    """One task on its way into a pack."""

    def __init__(
        self, session: Session, base: Base, plan: TaskPlan, pack: Pack, path: Path
    ) -> None:
        self._session = session
        self._base = base
        self._plan = plan
        self._pack = pack
        self._path = path

    def run(self) -> None:
        session, plan, pack = self._session, self._plan, self._pack
        material = material_of(session, self._base, plan)
        probes = self._probes()
        before = self._state(probes)
        if plan.name in pack.tasks:  # a kill came between the file and the record
            self._refuse_other_plan()
        else:
            self._learn(material)
        if session.accelerator.is_main_process:
            now = self._state(probes)
            self._refuse_change(before, now)
            session.checkpoint.unlink(missing_ok=True)
            session.journal.write(f"{plan.name}/learnt", tasks=now, **self._result(material))

    def _learn(self, material: Material) -> None:
        """Algorithm 1, and the file."""
        session, pack = self._session, self._pack
        goal = self._goal(material)
        possible = can_share(session.method, self._plan)
        stems = stems_to_try(self._plan.stem, pack, possible=possible)
        views = room(session, material, pack, stems)
        task = learn(session, pack, material, goal["threshold"], self._given(), views).freeze()
        task.notes = self._notes(material, goal, views)
        if session.accelerator.is_main_process:
            packfile.write(pack, self._path, backbone=self._base.spec, about=self._base.about())

    def _notes(self, material: Material, goal: dict[str, Any], views: Views) -> dict[str, Any]:
        """What a file tells of the task: what was wanted, and what is reached by what is stored."""
        session, plan = self._session, self._plan
        # Pruning by a ratio may have taken it below the goal.
        judged = stored(session, material, self._pack, plan.name, views)
        reached = material.measure(judged.network, material.val, judged.sources["val"])
        metric, threshold = material.task.metric, goal["threshold"]
        met = reached[metric]["value"] >= threshold
        if not met:
            session.reporter.say(
                f"{plan.name}: what is stored reaches {metric} {reached[metric]['value']:.4f} "
                f"on validation, goal {threshold:.4f} missed"
            )
        return {
            "task": material.task.describe(),
            "goal": goal | {"met": met},
            "validation": reached,
            "test": material.test_metrics(judged.network, judged.sources["test"]),
            "method": session.recipe.method,
            "data": {
                "sources": origins(plan.data),
                **({"pretrain": origins(plan.pretrain.data)} if plan.pretrain else {}),
                **({"pairs": material.pairs.name} if material.pairs else {}),
                "examples": {split: len(rows) for split, rows in material.splits()},
                "skipped": len(material.train.skipped),
            },
            "terms": plan.terms,
            "plan": session.journal.plan(plan.name),
        }

    def _refuse_other_plan(self) -> None:
        """Refuses to put a task on record that was learnt by another plan than there is now.

        Raises:
            RunError: says how to go on.
        """
        name, journal = self._plan.name, self._session.journal
        if self._pack.tasks[name].notes.get("plan") != journal.plan(name):
            raise RunError(
                f"{self._path}: has task {name!r} as another plan made it; put the recipe back as "
                f"it was, or remove the task (pae remove {self._path} {name}) to learn it anew"
            )

    def _given(self) -> Mapping[str, Tensor] | None:
        """The state of the network that the pack was started from, where it is at hand."""
        if self._base.source is not None:
            return self._base.state
        if self._base.weights is not None and self._plan.start == "given":
            self._session.reporter.say(
                f"{self._plan.name}: free weights begin at zero; to begin at those of the dense "
                f"network {self._base.weights['name']!r}, give its file with --weights"
            )
        return None

    def _goal(self, material: Material) -> dict[str, Any]:
        """The goal as it will be kept, with the value that the metric must reach."""
        metric, plan = material.task.metric, self._plan
        if plan.goal.at_least is not None:
            return {"metric": metric, "threshold": plan.goal.at_least, "reference": None}
        found = reference(self._session, self._base.pack(), material)
        value = found["val"][metric]["value"]
        assert plan.goal.within is not None
        return {
            "metric": metric,
            "threshold": value - plan.goal.within,
            "within": plan.goal.within,
            "reference": {"val": found["val"], "test": found["test"], "epochs": found["epochs"]},
        }

    def _state(self, probes: Split) -> dict[str, dict[str, str]]:
        """Every task's fingerprint, and a digest of its outputs on the probes."""
        found = {}
        for name in self._pack.tasks:
            network = self._pack.materialize(name)
            outputs = output_digest(network, probes, self._session.view, count=PROBES)
            found[name] = {"fingerprint": packing.fingerprint_of(network), "outputs": outputs}
        return found

    def _refuse_change(
        self, before: dict[str, dict[str, str]], now: dict[str, dict[str, str]]
    ) -> None:
        """Holds every older task to what it was before this one, and when it was learnt.

        Fingerprints are for ever; outputs are bit-identical on one machine, and a run may have
        begun on another.

        Raises:
            RunError: where one is no longer what it was; this must never happen.
        """
        for name, state in now.items():
            learnt = self._session.journal.result(f"{name}/learnt")
            then = learnt["tasks"][name]["fingerprint"] if learnt else state["fingerprint"]
            if before.get(name, state) != state or then != state["fingerprint"]:
                raise RunError(
                    f"{self._path}: task {name!r} changed while {self._plan.name!r} was "
                    "learnt; this is a defect of paenet, please report it with the run's "
                    "directory"
                )

    def _result(self, material: Material) -> dict[str, Any]:
        """Everything measured of the task."""
        pack, name = self._pack, self._plan.name
        own = pack.tasks[name]
        return {
            "weights": {
                "owned": pack.weights(name),
                "seen": packfile.accounting(pack)["tasks"][name]["seen"],
                "total": pack.weights(),
            },
            "width": pack.widths[own.width].width,
            "stem": None if own.stem is None else own.stem.name,
            "own_work": pack.own_work(name),
            "goal": own.notes["goal"],
            "val": own.notes["validation"],
            "test": own.notes["test"],
            "examples": {split: len(rows) for split, rows in material.splits()},
            "broken": {split: list(rows.broken) for split, rows in material.splits()},
            "skipped": material.train.skipped.as_json(),
            "file_bytes": self._path.stat().st_size,
        }

    def _probes(self) -> Split:
        """The same images for every task and at every step: the first task's test split."""
        first = self._session.recipe.tasks[0]
        return open_split(
            first,
            make_task(first),
            "test",
            view=self._session.view,
            given=self._session.recipe.input,
            cache=self._session.cache,
            limit=self._session.limit,
            seed=self._session.recipe.seed,
        )
