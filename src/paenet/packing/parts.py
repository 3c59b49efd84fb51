"""What a pack consists of: layers, tasks and widths."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from paenet.packing.stems import Stem
from paenet.packing.widening import Maps, Width

FREE = 0
MOST_TASKS = 255  # an owner is one byte, and 0 is free


def owned_by(owner: Tensor, slots: Iterable[int]) -> Tensor:
    """Bool, as an owner map: which weights one of `slots` owns."""
    mask = torch.zeros_like(owner, dtype=torch.bool)
    for slot in slots:
        mask |= owner == slot
    return mask


def given_width(widths: Sequence[Width], base: int) -> int:
    """Which of a pack's widths the given network has: what size and work are told by.

    Args:
        widths: what the builder was given for each.
        base: the index of the first task's.

    Returns:
        The index of width 1, which packs keep though no task has it; `base` where there is none.
    """
    return next((at for at in (base, *range(len(widths))) if widths[at] == 1.0), base)


@dataclass(eq=False, repr=False, slots=True)
class PackedLayer:
    """A layer's weights and who owns each.

    Attributes:
        theta: every task's values, zero where free; until the first task is frozen, the given
            network's.
        owner: uint8, as theta; 0 is free, k is the task in slot k.
    """

    theta: Tensor
    owner: Tensor


@dataclass(eq=False, slots=True)
class PackedTask:
    """What a task has beside its weights.

    Attributes:
        name: how the pack calls it.
        slot: its number in the owner maps, from 1.
        sees: the older tasks whose weights it uses.
        width: index into `Pack.widths`.
        private: biases, norms and slopes by state-dict key; absent ones are the base's.
        head: what follows the backbone.
        stem: what its network has in common with the base's from the input on; None for nothing.
        notes: whatever its maker wants to keep, such as its goal and what it reached (JSON).
        picked: per layer outside its stem a bool tensor of the layer's shape at the task's width:
            which of the weights that it sees it uses; None for all.
        fingerprint: what `Pack.fingerprint` was when the task was frozen; None where that is not
            known, and whoever writes the pack takes it as it is.
    """

    name: str
    slot: int
    sees: tuple[str, ...]
    width: int
    private: dict[str, Tensor] = field(repr=False)
    head: nn.Module
    stem: Stem | None = None
    notes: dict[str, Any] = field(default_factory=dict)
    picked: dict[str, Tensor] | None = field(default=None, repr=False)
    fingerprint: str | None = None


@dataclass(eq=False, slots=True)
class PackWidth:
    """A width that some task has.

    Attributes:
        width: what the builder was given.
        skeleton: the network at that width, without values.
        maps: where its channels lie in the widest network; None at the widest.
    """

    width: Width
    skeleton: nn.Module = field(repr=False)
    maps: Maps | None = field(default=None, repr=False)

    def narrow(self, layer: str, wide: Tensor) -> Tensor:
        """The part that lies in this width of a tensor of a layer at the widest."""
        return wide if self.maps is None else self.maps[layer].narrow(wide)

    def place(self, layer: str, narrow: Tensor, wide: Tensor) -> Tensor:
        """A tensor of a layer at the widest with `narrow` in the part that lies in this width."""
        return narrow if self.maps is None else self.maps[layer].place(narrow, wide)
