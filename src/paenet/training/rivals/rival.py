"""What a rival of packs is: lessons, what is trained in each, and what is kept of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from torch import Tensor, nn

from paenet.packing import Pack
from paenet.training.algorithm import new_head, stems_to_try
from paenet.training.base import Base
from paenet.training.errors import RecipeError
from paenet.training.examples import ImageSource, Material, make_task, place
from paenet.training.loop import Batches, Stage, Steps, Trainee
from paenet.training.machine import derive
from paenet.training.recipe import TaskPlan
from paenet.training.session import Session

Kept = Mapping[str, Tensor]


@dataclass(frozen=True)
class Lesson:
    """One training of a rival: `fit` takes it as it takes a stage of a pack's task."""

    stage: Stage
    trainee: nn.Module
    batches: Steps


@dataclass(frozen=True)
class Start:
    """What every rival starts from: the given network, and the seeds that packs have too."""

    session: Session
    base: Base

    @cached_property
    def pack(self) -> Pack:
        """The given network, with its tensors sorted."""
        return self.base.pack()

    def network(self) -> nn.Module:
        """The given network, to be trained."""
        network = self.base.build(1.0)
        network.load_state_dict(self.pack.given())
        place(network.requires_grad_(True), self.session.accelerator.device)
        return network

    def seed(self, task: str) -> int:
        return derive(self.session.recipe.seed, task)

    def head(self, plan: TaskPlan) -> nn.Module:
        """A task's head, with the values that it starts from in a pack."""
        head = new_head(make_task(plan), self.session.features, self.seed(plan.name))
        return head.to(self.session.accelerator.device)

    def lesson(self, network: nn.Module, material: Material, *, fixed: bool = False) -> Lesson:
        """Trains `network` for one task with the budget of the task's reference.

        Args:
            fixed: batch norms keep their statistics, whatever the budget says.
        """
        session, plan = self.session, material.plan
        budget, seed, key = plan.reference_budget(), self.seed(plan.name), f"{plan.name}/train"
        criterion = material.criterion(session.features, seed)
        trainee = Trainee(
            network,
            criterion.to(session.accelerator.device),
            material.teacher,
            fixed_statistics=fixed or budget.statistics == "fixed",
        )
        batches = Batches(
            ImageSource(material.train, session.view, session.augment),
            material.train.targets,
            budget,
            seed,
            key,
            session.accelerator.process_index,
            session.accelerator.num_processes,
        )
        return Lesson(Stage(key, budget.epochs, budget.rate, budget.decay), trainee, batches)


class Rival(ABC):
    """A method that is no pack.

    Attributes:
        about: what it is, in a line.
        together: whether all tasks are one lesson; else each is one.
        shares: whether all tasks share what every lesson changes: earlier tasks are then judged
            again after each, and what is kept replaces what was kept before. Else every lesson
            leaves a file of its own, and no later one touches it.
    """

    about: ClassVar[str]
    together: ClassVar[bool] = False
    shares: ClassVar[bool] = True

    def __init__(self, start: Start) -> None:
        self.start = start

    @classmethod
    def choose(cls, name: str, setting: str | None) -> Callable[[Start], Rival]:
        """What makes one, for what stands behind the colon in a list of methods.

        Raises:
            RecipeError: where it takes no such setting.
        """
        if setting is not None:
            raise RecipeError(f"method {name!r} takes no setting; write {name!r} alone")
        return cls

    def check(self) -> None:
        """Refuses a recipe that it cannot run.

        Raises:
            RecipeError: with the reason.
        """
        for plan in self.start.session.recipe.tasks:
            if plan.pretrain is not None:
                raise RecipeError(
                    f"task {plan.name!r}: pretrain: only packs and networks of their own are "
                    "trained on other data first; leave it out to compare"
                )
            try:
                stems_to_try(plan.stem, self.start.pack, possible=False)
            except RecipeError as error:
                raise RecipeError(f"task {plan.name!r}: {error}") from None

    @abstractmethod
    def lesson(self, materials: Sequence[Material]) -> Lesson:
        """What is trained next, for one task or for all."""

    @abstractmethod
    def network(self, task: str) -> nn.Module:
        """A task's network as it is now; of a rival that shares nothing, of the last lesson."""

    @abstractmethod
    def kept(self) -> Kept:
        """What has to be stored of the last lesson."""

    @abstractmethod
    def restore(self, done: Sequence[TaskPlan], read: Callable[[TaskPlan], Kept]) -> None:
        """Goes back to where it was after the lessons of some tasks.

        Args:
            done: at least one.
            read: what was kept of the lesson that ended with a task.
        """

    def kept_once(self) -> Kept:
        """What has to be stored beside the lessons; nothing by default."""
        return {}

    def passes(self, tasks: int) -> float:
        """Forward passes of a dense network that all of so many tasks take on one image."""
        return 1.0 if self.shares else float(tasks)
