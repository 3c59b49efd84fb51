"""A weight of which only a part can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.layout import PACKABLE
from paenet.packing.picking import used
from paenet.packing.selecting import Mask, select
from paenet.packing.values import NATIVE, check_grid, fit_table, snap


class OwnedWeight(nn.Module):
    """The parametrisation `where(trainable, theta, fixed)` of a layer's weight.

    What is not trainable is read from a constant, so no optimiser, weight decay, momentum, mixed
    precision or all-reduce can reach it, nor NaN or overflow in theta.

    Attributes:
        trainable: bool, the task's own weights.
        fixed: what is read elsewhere.
        scores: of what is fixed, where the task picks which of it to use; None where it uses all.
        grid: the values that its own weights may take; see `paenet.packing.values`.
        table: what the grid needs to be known beside its name.
    """

    trainable: Tensor
    fixed: Tensor
    scores: nn.Parameter | None
    table: Tensor | None

    def __init__(
        self, trainable: Tensor, fixed: Tensor, scores: nn.Parameter | None = None
    ) -> None:
        super().__init__()
        self.register_buffer("trainable", trainable)
        # A constant that the pack can always give again; a saved learner need not hold it.
        self.register_buffer("fixed", fixed, persistent=False)
        self.register_parameter("scores", scores)
        self.grid = NATIVE
        self.register_buffer("table", None)
        self._mask = Mask()

    def forward(self, theta: Tensor) -> Tensor:
        fixed = self.fixed if self.scores is None else used(self.scores, self.fixed)
        values = self._on_grid(theta)
        return select(self._mask.of(self.trainable, values), values, fixed)

    def train(self, mode: bool = True) -> OwnedWeight:
        super().train(mode)
        self.mask_anew()  # copies and averages of learners write to `.data`
        return self

    def mask_anew(self) -> None:
        """Looks again at what is trainable, however it was written."""
        self._mask.expire()

    def snap(self, grid: str, theta: Tensor) -> None:
        """Fits a grid to theta; the weight is computed from its values from now on."""
        self.grid, self.table = grid, fit_table(grid, theta, self.trainable)

    def _save_to_state_dict(
        self, destination: dict[str, Any], prefix: str, keep_vars: bool
    ) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        # As a tensor: files of states hold nothing else.
        destination[f"{prefix}grid"] = torch.tensor(list(self.grid.encode()), dtype=torch.uint8)

    def _load_from_state_dict(
        self, state_dict: Mapping[str, Any], prefix: str, *others: Any
    ) -> None:
        state = dict(state_dict)
        saved = state.pop(f"{prefix}grid", None)
        if saved is not None:  # states of older versions have none: the learner's own stays
            self.grid = bytes(saved.tolist()).decode(errors="replace")
            check_grid(self.grid, self.fixed.dtype)
            table = state.get(f"{prefix}table")
            device = self.trainable.device
            self.table = None if table is None else torch.empty_like(table, device=device)
        super()._load_from_state_dict(state, prefix, *others)

    def _replicate_for_data_parallel(self) -> OwnedWeight:
        replica: OwnedWeight = super()._replicate_for_data_parallel()  # type: ignore[no-untyped-call]
        replica._mask = Mask()  # its tensors are on another device
        return replica

    def _on_grid(self, theta: Tensor) -> Tensor:
        if self.grid == NATIVE:
            return theta
        values = snap(self.grid, theta.detach(), self.trainable, self.table, self.fixed)
        # The gradient passes as if nothing had been rounded (Bengio et al., 2013).
        return values + (theta - theta.detach())


def own(
    layer: nn.Module, trainable: Tensor, fixed: Tensor, scores: nn.Parameter | None = None
) -> None:
    """Makes `layer.weight` trainable where `trainable`, constant `fixed` elsewhere.

    With scores the constant is used where they pick it.
    """
    parametrize.register_parametrization(layer, "weight", OwnedWeight(trainable, fixed, scores))


def scores_of(module: nn.Module) -> list[nn.Parameter]:
    """The scores by which learners in `module` pick weights, for a parameter group of their own.

    Weight decay would unpick by and by what no gradient asks for: give them none. The authors of
    CPG train them by Adam at 5e-4 (ivclab/CPG, experiment3), those of Piggyback at 1e-4.
    """
    parts = (part for part in module.modules() if isinstance(part, OwnedWeight))
    return [part.scores for part in parts if part.scores is not None]


def constants_in(module: nn.Module) -> list[str]:
    """The names of the buffers in which learners in `module` hold what no training changes."""
    return [
        f"{name}.{buffer}"
        for name, part in module.named_modules()
        if isinstance(part, OwnedWeight)
        for buffer in ("trainable", "fixed")
    ]


def owned_layers(backbone: nn.Module) -> dict[str, tuple[nn.Parameter, OwnedWeight]]:
    """Per packed layer's name, theta and its parametrisation."""
    found: dict[str, tuple[nn.Parameter, OwnedWeight]] = {}
    for name, module in backbone.named_modules():
        if isinstance(module, PACKABLE) and parametrize.is_parametrized(module, "weight"):
            chain = cast(nn.ModuleDict, module.parametrizations)["weight"]
            theta = cast(nn.Parameter, chain.original)
            found[name] = theta, cast(OwnedWeight, cast(nn.ModuleList, chain)[0])
    return found
