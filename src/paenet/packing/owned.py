"""A weight of which only a part can be trained."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.layout import PACKABLE
from paenet.packing.values import NATIVE, fit_table, snap


class OwnedWeight(nn.Module):
    """The parametrisation `where(trainable, theta, fixed)` of a layer's weight.

    What is not trainable is read from a constant, so no optimiser, weight decay, momentum, mixed
    precision or all-reduce can reach it.

    Attributes:
        trainable: bool, the task's own weights.
        fixed: what is read elsewhere.
        grid: the values that its own weights may take; see `paenet.packing.values`.
        table: what the grid needs to be known beside its name.
    """

    trainable: Tensor
    fixed: Tensor
    table: Tensor | None

    def __init__(self, trainable: Tensor, fixed: Tensor) -> None:
        super().__init__()
        self.register_buffer("trainable", trainable)
        # A constant that the pack can always give again; a saved learner need not hold it.
        self.register_buffer("fixed", fixed, persistent=False)
        self.grid = NATIVE
        self.register_buffer("table", None)

    def forward(self, theta: Tensor) -> Tensor:
        return torch.where(self.trainable, self._on_grid(theta), self.fixed)

    def snap(self, grid: str, theta: Tensor) -> None:
        """Fits a grid to theta; the weight is computed from its values from now on."""
        self.grid, self.table = grid, fit_table(grid, theta, self.trainable)

    def _on_grid(self, theta: Tensor) -> Tensor:
        if self.grid == NATIVE:
            return theta
        values = snap(self.grid, theta.detach(), self.trainable, self.table, self.fixed)
        # The gradient passes as if nothing had been rounded (Bengio et al., 2013).
        return values + (theta - theta.detach())


def own(layer: nn.Module, trainable: Tensor, fixed: Tensor) -> None:
    """Makes `layer.weight` trainable where `trainable`, constant `fixed` elsewhere."""
    parametrize.register_parametrization(layer, "weight", OwnedWeight(trainable, fixed))


def owned_layers(backbone: nn.Module) -> dict[str, tuple[nn.Parameter, OwnedWeight]]:
    """Per packed layer's name, theta and its parametrisation."""
    found: dict[str, tuple[nn.Parameter, OwnedWeight]] = {}
    for name, module in backbone.named_modules():
        if isinstance(module, PACKABLE) and parametrize.is_parametrized(module, "weight"):
            chain = cast(nn.ModuleDict, module.parametrizations)["weight"]
            theta = cast(nn.Parameter, chain.original)
            found[name] = theta, cast(OwnedWeight, cast(nn.ModuleList, chain)[0])
    return found
