"""One network, fine-tuned for one task after another: what forgetting looks like."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from paenet.training.examples import Material
from paenet.training.loop import under
from paenet.training.recipe import TaskPlan
from paenet.training.rivals.rival import Kept, Lesson, Rival, Start


class FineTune(Rival):
    """Sequential fine-tuning: one backbone that every task changes, and a head for each."""

    about = "one network, fine-tuned for one task after another, a head for each"

    def __init__(self, start: Start) -> None:
        super().__init__(start)
        self.backbone = start.network()
        self.heads: dict[str, nn.Module] = {}

    def lesson(self, materials: Sequence[Material]) -> Lesson:
        (material,) = materials
        return self.start.lesson(self.with_head(material.plan), material)

    def with_head(self, plan: TaskPlan) -> nn.Module:
        """The network of a task that is about to be learnt."""
        self.heads[plan.name] = self.start.head(plan)
        return self.network(plan.name)

    def network(self, task: str) -> nn.Module:
        network = nn.Sequential()
        network.add_module("backbone", self.backbone)
        network.add_module("head", self.heads[task])
        return network

    def kept(self) -> Kept:
        tensors: dict[str, Tensor] = {
            f"backbone.{key}": value for key, value in self.backbone.state_dict().items()
        }
        for task, head in self.heads.items():
            tensors |= {f"heads.{task}.{key}": value for key, value in head.state_dict().items()}
        return tensors

    def restore(self, done: Sequence[TaskPlan], read: Callable[[TaskPlan], Kept]) -> None:
        tensors = read(done[-1])
        self.backbone.load_state_dict(under("backbone.", tensors))
        for plan in done:
            self.heads[plan.name] = self.start.head(plan)
            self.heads[plan.name].load_state_dict(under(f"heads.{plan.name}.", tensors))
