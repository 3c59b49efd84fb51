"""One more task into a pack: goal, Algorithm 1, the file, the proof that nothing else changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from paenet import packfile, packing
from paenet.datasets import origins, pairs_at
from paenet.packing import Pack
from paenet.tasks import TaskError, check_folds
from paenet.training.algorithm.channels import check_channels
from paenet.training.algorithm.learning import learn
from paenet.training.algorithm.reference import reference
from paenet.training.algorithm.stages import forget_states
from paenet.training.algorithm.stemming import can_share, check_stem, stored
from paenet.training.base import Base
from paenet.training.errors import RecipeError, RunError
from paenet.training.examples import (
    SPLITS,
    Material,
    Split,
    encode,
    make_task,
    open_material,
    open_split,
    output_digest,
    place,
    split_examples,
)
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


def check_material(session: Session, base: Base, plan: TaskPlan, *, first: bool) -> None:
    """Holds a plan to its network and its data before anything is trained; decodes nothing.

    Args:
        first: whether it is the first task of its pack.

    Raises:
        PackingError: where the network has no such stem.
        RecipeError: where the task can have none, or cannot give channels up; and as `check_data`.
        DataError, TaskError: as `check_data`.
    """
    if session.journal.result(f"{plan.name}/learnt") is not None:
        return
    possible = not first and can_share(session.method, plan)
    check_stem(plan, base, session.view, possible=possible)
    check_channels(plan, first=first, norms=session.recipe.norms)
    check_data(session, plan)


def check_data(session: Session, plan: TaskPlan) -> None:
    """Holds a plan to its data, and to a network to imitate where it is to imitate one.

    Raises:
        RecipeError: where that network is not trained; and as `open_split`.
        DataError: as `open_split`, but for images that cannot be decoded.
        TaskError: where nothing could be measured on a split, or on the pairs.
    """
    task = make_task(plan)
    if task.label is None and session.weights is None:
        raise RecipeError(
            f"task {plan.name!r}: distilling needs a trained network; give the recipe's "
            "key 'weights', or set objective to 'softmax' or 'arcface'"
        )
    for name in SPLITS:
        examples = split_examples(plan, name)
        if session.limit is None:  # a try on a part of the data can do without the rest
            targets = encode(task, examples)
            if name != "train" and targets is not None:
                task.check_measurable(targets)
    before = plan.pretraining()
    if before is not None:
        encode(task, split_examples(before, "train"))
    if plan.pairs is not None:
        check_folds(pairs_at(plan.pairs).fold)


def material_of(session: Session, base: Base, plan: TaskPlan) -> Material:
    """Everything of a plan, opened for a session; images that are left out are told.

    Raises:
        DataError: as `open_material`.
        TaskError: where nothing could be measured on the part of the data that is taken.
    """
    teacher = _teacher(session, base) if make_task(plan).label is None else None
    material = open_material(
        plan,
        view=session.view,
        given=session.recipe.input,
        cache=session.cache,
        limit=session.limit,
        seed=session.recipe.seed,
        teacher=teacher,
        watch=session.reporter.count,
    )
    if session.limit is not None:  # `check_data` could not know what a part of the data holds
        _check_measurable(material)
    for data, split in (("data", material.train), ("data to start with", material.pretrain)):
        if split is not None and split.skipped:
            session.reporter.say(f"{plan.name}: of the {data}, {split.skipped.summary()}")
    for name, split in material.splits():
        if split.broken:
            path, reason = split.broken[0]
            session.reporter.say(
                f"{plan.name}: {len(split.broken)} broken images in {name} are left out, "
                f"the first: {path}: {reason}"
            )
    return material


def _check_measurable(material: Material) -> None:
    """Refuses a part of the data on which nothing could be measured, before anything is trained."""
    for split in (material.val, material.test):
        try:
            if split.targets is not None:
                material.task.check_measurable(split.targets)
        except TaskError as error:
            raise TaskError(f"{error}; raise --limit") from None


def _teacher(session: Session, base: Base) -> nn.Module:
    """The given network, which a distilled task imitates."""
    teacher = base.network()
    place(teacher, session.accelerator.device)
    return teacher


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
            goal = self._goal(material)
            task = learn(session, pack, material, goal["threshold"], self._given()).freeze()
            # On what is stored, which pruning by a ratio may have taken below the goal.
            judged = stored(session, material, pack, plan.name)
            reached = material.measure(judged.network, material.val, judged.sources["val"])
            metric, threshold = material.task.metric, goal["threshold"]
            met = reached[metric]["value"] >= threshold
            if not met:
                session.reporter.say(
                    f"{plan.name}: what is stored reaches {metric} {reached[metric]['value']:.4f} "
                    f"on validation, goal {threshold:.4f} missed"
                )
            task.notes = {
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
            if session.accelerator.is_main_process:
                packfile.write(pack, self._path, backbone=self._base.spec, about=self._base.about())
        if session.accelerator.is_main_process:
            now = self._state(probes)
            self._refuse_change(before, now)
            session.checkpoint.unlink(missing_ok=True)
            session.journal.write(f"{plan.name}/learnt", tasks=now, **self._result(material))

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
