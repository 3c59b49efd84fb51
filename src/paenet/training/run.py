"""A lifelong run: the tasks of a recipe, one after another, into one file."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from paenet import backbones, packfile, packing
from paenet.packing import Pack
from paenet.training.algorithm import Session, learn
from paenet.training.data import Split, View
from paenet.training.environment import cache_folder, versions
from paenet.training.errors import GoalMissed, RecipeError, RunError
from paenet.training.evaluate import output_digest
from paenet.training.journal import Journal
from paenet.training.material import Material, open_material
from paenet.training.progress import Reporter, Silent
from paenet.training.randomness import derive, seeded
from paenet.training.recipe import Recipe, TaskPlan
from paenet.training.reference import reference

PROBES = 64  # images on which the outputs of learnt tasks are held against what they were


@dataclass(frozen=True)
class Base:
    """The given network, and what a file says of it.

    Attributes:
        state: its trained values; None where it starts from random ones, drawn from `seed`.
        weights: where these come from, as JSON.
    """

    seed: int
    spec: packfile.BackboneSpec
    view: View
    state: dict[str, torch.Tensor] | None
    weights: dict[str, Any] | None

    def build(self, width: Any) -> nn.Module:
        return backbones.create(self.spec.name, width=width, **self.spec.arguments)

    def pack(self) -> Pack:
        """A pack without tasks that holds the given network."""
        example = torch.zeros(1, 3, self.view.size, self.view.size)
        with seeded(self.seed):
            return Pack(self.build, example=example, weights=self.state)

    def network(self) -> nn.Module:
        """The given network itself, dense."""
        network = self.build(1.0)
        if self.state is not None:
            network.load_state_dict(self.state)
        return network.eval().requires_grad_(False)

    def about(self) -> dict[str, Any]:
        """What a file keeps beside the tasks."""
        view = {"size": self.view.size, "mean": self.view.mean, "scale": self.view.scale}
        return {"input": view, "weights": self.weights}


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
        limit: at most so many examples of every split, to try a recipe out.
        cache: where decoded images and references are kept; the user's cache by default.
        reporter: told what happens.

    Returns:
        The pack's path (the directory, where each task has its own).

    Raises:
        RecipeError, RunError, GoalMissed, and the errors of data, weights and packs.
    """
    out, reporter = Path(out), reporter or Silent()
    method = packing.method(recipe.method)
    base = open_base(recipe)
    AcceleratorState._reset_state(reset_partial_state=False)  # one precision per run, not process
    accelerator = Accelerator(mixed_precision="bf16" if recipe.precision == "bf16" else "no")
    journal = Journal(out, recipe, {"limit": limit}, writes=accelerator.is_main_process)
    with accelerator.main_process_first():
        journal.__enter__()
    accelerator.wait_for_everyone()
    try:
        session = Session(
            recipe=recipe,
            method=method,
            folder=out,
            cache=cache or cache_folder(),
            view=base.view,
            limit=limit,
            weights=None if base.weights is None else base.weights["sha256"],
            accelerator=accelerator,
            journal=journal,
            reporter=reporter,
        )
        _Run(session, base).all_tasks()
    finally:
        reporter.close()
        journal.__exit__(None, None, None)
    return out if method.separate else out / "pack.pae"


def open_base(recipe: Recipe) -> Base:
    """The backbone and weights of a recipe, and how images become its input."""
    arguments = dict(recipe.backbone.arguments)
    info = backbones.info(recipe.backbone.name)
    given = recipe.input
    view = View(
        given.size or info.size,
        info.mean if given.mean is None else given.mean,
        given.scale or info.scale,
    )
    state, weights = None, None
    if recipe.weights is not None:
        state, found = backbones.read_weights(recipe.weights)
        weights = {"name": found.name, "source": found.source, "terms": found.terms,
                   "sha256": found.sha256}
        backbones.check_fits(state, backbones.create(recipe.backbone.name, **arguments), found)
    seed = derive(recipe.seed, "backbone")
    spec = packfile.BackboneSpec(recipe.backbone.name, arguments)
    return Base(seed, spec, view, state, weights)


class _Run:
    """The tasks of one run, in order."""

    def __init__(self, session: Session, base: Base) -> None:
        self._session = session
        self._base = base
        self._teacher: nn.Module | None = None
        self._probe: Split | None = None

    def all_tasks(self) -> None:
        journal = self._session.journal
        pack: Pack | None = None
        if journal.result("run") is None:
            journal.write("run", recipe=self._session.recipe.model_dump(mode="json"),
                          limit=self._session.limit, versions=versions())
        for plan in self._session.recipe.tasks:
            path = self._path(plan)
            if pack is None or self._session.method.separate:
                pack = self._open(path)
            if journal.result(f"{plan.name}/learnt") is None:
                self._one_task(plan, pack, path)
                self._session.accelerator.wait_for_everyone()

    def _one_task(self, plan: TaskPlan, pack: Pack, path: Path) -> None:
        session = self._session
        material = self._material(plan)
        goal = self._goal(plan, material)
        if plan.name not in pack.tasks:
            learner, met = learn(session, pack, material, goal["threshold"])
            if session.accelerator.is_main_process:
                reached = material.measure(learner, material.val)
                task = learner.freeze()
                task.notes = self._notes(plan, material, goal | {"met": met}, reached)
                packfile.write(pack, path, backbone=self._base.spec, about=self._base.about())
            else:
                learner.freeze()
        if session.accelerator.is_main_process:
            session.journal.write(f"{plan.name}/learnt", **self._result(plan, pack, material, path))
            for leftover in session.folder.glob(f"state-{plan.name}-*.safetensors"):
                leftover.unlink()

    def _goal(self, plan: TaskPlan, material: Material) -> dict[str, Any]:
        """The goal as it will be kept, with the value that the metric must reach."""
        metric = material.task.metric
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

    def _material(self, plan: TaskPlan) -> Material:
        session = self._session
        distilled = plan.kind == "identity" and plan.settings.get("objective", "distill") == "distill"
        if distilled and self._base.state is None:
            raise RecipeError(
                f"task {plan.name!r}: distilling needs a trained network; give the recipe's key "
                "'weights', or set objective to 'softmax' or 'arcface'"
            )
        if distilled and self._teacher is None:
            device = session.accelerator.device
            self._teacher = self._base.network().to(device, memory_format=torch.channels_last)
        material = open_material(
            plan,
            view=session.view,
            given=session.recipe.input,
            cache=session.cache,
            limit=session.limit,
            seed=session.recipe.seed,
            teacher=self._teacher if distilled else None,
        )
        broken = {name: split.broken for name, split in material.splits() if split.broken}
        for name, images in broken.items():
            path, reason = images[0]
            session.reporter.say(
                f"{plan.name}: {len(images)} broken images in {name} are left out, "
                f"the first: {path}: {reason}"
            )
        return material

    def _notes(
        self, plan: TaskPlan, material: Material, goal: dict[str, Any], reached: dict[str, Any]
    ) -> dict[str, Any]:
        """What the file keeps of a task beside its network."""
        return {
            "task": material.task.describe(),
            "goal": goal,
            "validation": reached,
            "method": self._session.recipe.method,
            "terms": plan.terms,
        }

    def _result(
        self, plan: TaskPlan, pack: Pack, material: Material, path: Path
    ) -> dict[str, Any]:
        """Everything measured of a task right after it was learnt, and of the older ones again.

        Raises:
            RunError: where an older task is no longer what it was; this must never happen.
        """
        session = self._session
        network = pack.materialize(plan.name).to(session.accelerator.device)
        own = pack.tasks[plan.name]
        state = {
            name: {
                "fingerprint": pack.fingerprint(name),
                "outputs": output_digest(pack.materialize(name), self._probes(), session.view,
                                         count=PROBES),
            }
            for name in pack.tasks
        }
        for name, now in state.items():
            before = session.journal.result(f"{name}/learnt")
            if before is not None and before["tasks"][name] != now:
                raise RunError(
                    f"{path}: task {name!r} changed while {plan.name!r} was learnt; this is a "
                    "defect of paenet, please report it with the run's directory"
                )
        return {
            "weights": {
                "owned": pack.weights(plan.name),
                "seen": sum(pack.weights(seen) for seen in own.sees),
                "total": pack.weights(),
            },
            "width": pack.widths[own.width].width,
            "goal": own.notes["goal"],
            "val": own.notes["validation"],
            "test": material.test_metrics(network),
            "tasks": state,
            "examples": {name: len(split) for name, split in material.splits()},
            "broken": {name: list(split.broken) for name, split in material.splits()},
            "file_bytes": path.stat().st_size,
        }

    def _probes(self) -> Split:
        """The same images for every task and step: the first task's, test if it has any."""
        if self._probe is None:
            first = self._material(self._session.recipe.tasks[0])
            self._probe = first.test or first.val
        return self._probe

    def _open(self, path: Path) -> Pack:
        if not path.exists():
            return self._base.pack()
        return packfile.read(path, backbone=self._base.build).pack

    def _path(self, plan: TaskPlan) -> Path:
        name = plan.name if self._session.method.separate else "pack"
        return self._session.folder / f"{name}.pae"
