"""Low-rank adapters, one for each task, on a network that stays what it is (PEFT library)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from torch import Tensor, nn

from paenet.packing import seeded
from paenet.training.errors import RecipeError, RunError
from paenet.training.examples import Material, place
from paenet.training.loop import under
from paenet.training.machine import derive
from paenet.training.recipe import TaskPlan
from paenet.training.rivals.rival import Kept, Lesson, Rival, Start

RANK = 8
ADAPTED = (nn.Conv2d, nn.Linear)


class Lora(Rival):
    """LoRA (Hu et al., ICLR 2022), as the PEFT library has it for Conv2d and Linear.

    The base is the given network. Where that was never trained there is nothing to adapt: the
    first task then trains all of it, as the first task of a pack does, and adapters begin with
    the second. Beside its adapter a task has what it has in a pack: a head and, with `norms: own`,
    norms with their statistics, biases and slopes. A task that the given network does already is
    the base with a head.

    Args:
        rank: of the adapters; a layer that is smaller takes one of its own rank. Their scale is
            the rank, so that the product of the two matrices is added as it is.
    """

    about = "adapters of low rank, one for each task, on a network that stays what it is"
    shares = False

    def __init__(self, start: Start, rank: int = RANK) -> None:
        super().__init__(start)
        self._rank = rank
        self._trained = start.base.state is not None
        self._base: dict[str, Tensor] | None = start.pack.given() if self._trained else None
        self._last = ("", nn.Sequential())
        self._adapts = True  # in the last lesson

    @classmethod
    def choose(cls, name: str, setting: str | None) -> Callable[[Start], Rival]:
        if setting is not None and not re.fullmatch(r"[1-9][0-9]{0,3}", setting):
            raise RecipeError(
                f"method '{name}:{setting}': give a rank, a whole number such as '{name}:16'"
            )
        _peft()
        return partial(cls, rank=RANK if setting is None else int(setting))

    def lesson(self, materials: Sequence[Material]) -> Lesson:
        (material,) = materials
        plan, recipe = material.plan, self.start.session.recipe
        first = plan is recipe.tasks[0] and not self._trained
        if self._base is None and not first:  # what the first task has made of it
            self._base = dict(self._last[1].get_submodule("backbone").state_dict())
        self._adapts = plan.reference_budget().epochs > 0
        if first:
            backbone = self.start.network()
        else:
            backbone = self._adapted(plan) if self._adapts else self._bare()
            place(backbone, self.start.session.accelerator.device)
        network = nn.Sequential()
        network.add_module("backbone", backbone)
        network.add_module("head", self.start.head(plan))
        self._last = (plan.name, network)
        return self.start.lesson(network, material, fixed=recipe.norms == "base" and not first)

    def network(self, task: str) -> nn.Module:
        name, network = self._last
        assert name == task, "only the network of the last lesson is at hand"
        return network

    def kept(self) -> Kept:
        _, network = self._last
        state = network.state_dict()
        if self._base is None:
            return state
        own = self.start.session.recipe.norms == "own" and self._adapts
        mine = self.start.pack.layout.private if own else ()
        fixed = {f"backbone.{key}" for key in self._base if key not in mine}
        return {key: value for key, value in state.items() if _plain(key) not in fixed}

    def kept_once(self) -> Kept:
        return self.start.pack.given() if self._trained else {}

    def restore(self, done: Sequence[TaskPlan], read: Callable[[TaskPlan], Kept]) -> None:
        if not self._trained:
            self._base = under("backbone.", read(done[0]))

    def _bare(self) -> nn.Module:
        """The base as it is."""
        assert self._base is not None
        backbone = self.start.base.build(1.0)
        backbone.load_state_dict(self._base)
        return backbone

    def _adapted(self, plan: TaskPlan) -> nn.Module:
        """The base with fresh adapters, which alone are trained, and what is the task's own."""
        peft, layout = _peft(), self.start.pack.layout
        backbone = self._bare()
        ranks = {
            name: min(self._rank, *_matrix(layer))
            for name in layout.packed
            if isinstance(layer := backbone.get_submodule(name), ADAPTED)
        }
        # `^` and the end hold a pattern to one layer: PEFT matches the ends of names.
        exact = {f"^{re.escape(name)}": rank for name, rank in ranks.items()}
        config = peft.LoraConfig(
            r=self._rank,
            lora_alpha=self._rank,
            rank_pattern=exact,
            alpha_pattern=exact,
            target_modules="|".join(map(re.escape, ranks)),
        )
        with seeded(derive(self.start.seed(plan.name), "adapter")):
            try:
                peft.inject_adapter_in_model(config, backbone)
            except ValueError as error:  # such as convolutions in groups that no rank suits
                raise RecipeError(f"lora: PEFT cannot adapt this network ({error})") from None
        if self.start.session.recipe.norms == "own":
            for key, parameter in backbone.named_parameters():
                if _plain(key) in layout.private:
                    parameter.requires_grad_(True)
        return backbone


def _matrix(layer: nn.Module) -> tuple[int, int]:
    """Rows and columns of a layer's weight as a matrix; no rank is above either."""
    weight: Any = layer.weight
    return weight.shape[0], weight[0].numel()


def _plain(key: str) -> str:
    """A state-dict key as it was before PEFT put its layer around the network's own."""
    return key.replace(".base_layer.", ".")


def _peft() -> Any:
    """The PEFT library.

    Raises:
        RunError: where it is not installed.
    """
    try:
        import peft
    except ImportError as error:
        raise RunError(
            f"lora needs the PEFT library ({error}); pip install 'paenet[peft]'"
        ) from None
    return peft
