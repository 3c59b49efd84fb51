"""What a goal of `within` is measured against: a network trained for one task alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from accelerate.utils import broadcast_object_list

from paenet.files import replacing
from paenet.packing import Pack
from paenet.training.algorithm.attempt import new_head
from paenet.training.algorithm.stages import TaskTraining
from paenet.training.examples import Material
from paenet.training.machine import REFERENCES, alone, derive
from paenet.training.session import Session


def reference(session: Session, fresh: Pack, material: Material) -> dict[str, Any]:
    """Metrics of a task's reference network on validation and test.

    The dense backbone, all of it trained for this task with the plan's reference budget; for a
    distilled task the teacher itself. Kept in the run's record, and in the user's cache by
    everything that it depends on.

    Args:
        fresh: a pack without tasks that holds the given network.

    Returns:
        `{"val": {metric: …}, "test": {metric: …}, "epochs": …}` among what a record holds.
    """
    key = f"{material.plan.name}/reference"
    found = session.journal.result(key)
    if found is not None:
        return found
    path = session.cache / REFERENCES / f"{_digest(session, material)}.json"
    result = _kept(session, path)
    if result is None:
        with _alone(session, path, material.plan.name):
            result = _kept(session, path) or _found_out(session, fresh, material, path)
    return session.journal.write(key, **result)


def _kept(session: Session, path: Path) -> dict[str, Any] | None:
    """What an earlier run found out, as the first of several processes sees it."""
    told: list[dict[str, Any] | None] = [None]
    if session.accelerator.is_main_process and path.exists():
        told = [json.loads(path.read_text(encoding="utf-8"))]
    broadcast_object_list(told)
    return told[0]


def _found_out(session: Session, fresh: Pack, material: Material, path: Path) -> dict[str, Any]:
    if material.teacher is None:
        network, epochs = _train(session, fresh, material)
    else:
        network, epochs = material.teacher, 0.0
    result = {
        "val": material.measure(network, material.val),
        "test": material.test_metrics(network),
        "epochs": epochs,
    }
    if session.accelerator.is_main_process:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as beside:
            beside.write_text(json.dumps(result), encoding="utf-8")
    return result


@contextmanager
def _alone(session: Session, path: Path, task: str) -> Iterator[None]:
    """One run finds out what `path` will hold; others that want it wait for that.

    Processes that share a run do not: they would lose one another while one of them waits.
    """
    if session.accelerator.num_processes > 1:
        yield
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    told = f"{task}: another run trains the network that its goal is measured by"
    with alone(path.with_suffix(".lock"), lambda: session.reporter.say(told)):
        yield


def _train(session: Session, fresh: Pack, material: Material) -> tuple[Any, float]:
    plan = material.plan
    budget = plan.reference_budget()
    seed = derive(session.recipe.seed, plan.name, "reference")
    head = new_head(material.task, session.features, seed)
    learner = fresh.learn(plan.name, head=head, sees="none", seed=seed)
    training = TaskTraining(session, material, fresh, learner, budget, seed)
    if plan.pretrain is not None:  # it has what the task has
        training.pretrain(f"{plan.name}/reference-pretrain")
    key = f"{plan.name}/reference-train"
    reached = training.stage(key, budget.epochs, budget.rate)
    session.reporter.say(
        f"{plan.name}: a network of its own reaches {material.task.metric} {reached:.4f} "
        "on validation"
    )
    return learner, budget.epochs


def _digest(session: Session, material: Material) -> str:
    """A hash of all that a reference depends on."""
    recipe, plan = session.recipe, material.plan
    # Defaults are no part of it: a cache outlives a version that knows more keys.
    budget = plan.reference_budget().model_dump(exclude_defaults=True)
    parts = {
        "backbone": recipe.backbone.model_dump(),
        "weights": session.weights,
        "input": recipe.input.model_dump(exclude={"resize"}),  # the view has it
        "view": session.view.said(),
        "precision": session.precision,
        "seed": recipe.seed,
        "limit": session.limit,
        "data": plan.data,
        "examples": [split.hash for _, split in material.splits()],
        "labels": [split.targets_hash() for _, split in material.splits()],
        "pairs": plan.pairs and [plan.pairs, material.pairs and material.pairs.digest()],
        "pretrain": None if plan.pretrain is None else plan.pretrain.model_dump(),
        "task": material.task.describe(),
        "budget": None if material.teacher else budget,
    }
    if session.accelerator.num_processes > 1:  # each sees its share of every batch
        parts["processes"] = session.accelerator.num_processes
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:24]
