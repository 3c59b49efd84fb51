"""A plan held to its network and its data before anything is trained, and the data opened."""

from __future__ import annotations

from torch import nn

from paenet.datasets import pairs_at
from paenet.tasks import TaskError, check_folds
from paenet.training.algorithm.narrowing import check_channels
from paenet.training.algorithm.stemming import can_share, check_stem
from paenet.training.base import Base
from paenet.training.errors import RecipeError
from paenet.training.examples import (
    SPLITS,
    Material,
    encode,
    make_task,
    open_material,
    place,
    split_examples,
)
from paenet.training.recipe import TaskPlan
from paenet.training.session import Session


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
