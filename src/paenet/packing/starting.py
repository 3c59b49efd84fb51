"""The network of a task at step 0: what it sees as constants, and what it may train."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from paenet.packing.errors import PackingError
from paenet.packing.layout import join
from paenet.packing.owned import OwnedWeight, own
from paenet.packing.picking import new_scores
from paenet.packing.widening import fresh_network, grow_private

if TYPE_CHECKING:
    from paenet.packing.methods import Claims
    from paenet.packing.pack import Norms, Pack
    from paenet.packing.stems import Split


@torch.no_grad()
def start(
    pack: Pack,
    sees: tuple[str, ...],
    norms: Norms,
    claims: Claims,
    split: Split | None,
    picks: bool,
    seed: int,
) -> tuple[nn.Module, dict[str, int]]:
    """A backbone in which the weights that a task may claim can be trained.

    Returns:
        It, at the widest width of the pack; and how many weights of each packed layer it claims.
    """
    widest = pack.widths[-1]
    if pack.untouched:
        backbone = copy.deepcopy(widest.skeleton)
        backbone.load_state_dict(pack.given(), assign=True)
        backbone.requires_grad_(True)
    else:
        backbone = fresh_network(pack, widest.width, seed)
    if sees or norms == "base":
        _copy_base(pack, backbone)
    stem = None if split is None else split.stem
    seen_widths = [pack.widths[at] for at in sorted({pack.tasks[name].width for name in sees})]
    claimed = {}
    for name, layer in pack.layers.items():
        in_stem = stem is not None and name in stem.layers
        trainable = (layer.owner == 0) & (claims == "free" and not in_stem)
        # Channels that none of the seen tasks has start as widening would make them: were they
        # zero throughout, no gradient would ever reach them.
        weight = backbone.get_parameter(join(name, "weight"))
        for at in seen_widths:
            zeros = at.narrow(name, torch.zeros_like(weight))
            weight.copy_(at.place(name, zeros, weight.detach()))
        seen = pack.visible(name, pack.seen_slots(name, sees, stem))
        scores = new_scores(seen) if picks and not in_stem else None
        own(backbone.get_submodule(name), trainable, seen, scores)
        claimed[name] = int(trainable.sum())
    return backbone, claimed


def warm_start(
    pack: Pack, owned: Mapping[str, tuple[nn.Parameter, OwnedWeight]], state: Mapping[str, Tensor]
) -> None:
    """Gives what can be trained the values of a network at the width that the pack began with.

    Weights of channels that were added since stay as they are. See `Learner.warm_start`.
    """
    # Before it may stand widths of tasks that have given channels up.
    begun = next((at for at in pack.widths if at.width == 1.0), None)
    if begun is None:
        raise PackingError("a warm start needs the width 1, which the pack no longer has")
    for name, (theta, weight) in owned.items():
        key = join(name, "weight")
        given = state.get(key)
        wanted = begun.narrow(name, pack.layers[name].theta).shape
        if given is None or given.shape != wanted:
            found = "missing" if given is None else f"of shape {list(given.shape)}"
            raise PackingError(f"{key!r} is {found}; a warm start needs {list(wanted)}")
        given = begun.place(name, given.to(theta.device, theta.dtype), theta.detach())
        theta.copy_(torch.where(weight.trainable, given, theta))


def _copy_base(pack: Pack, backbone: nn.Module) -> None:
    """Gives a network the norms, biases and slopes of the base."""
    assert pack.base is not None  # `Pack.learn` has seen to it
    base = pack.tasks[pack.base]
    private = pack.private_of(base)
    maps = pack.widths[base.width].maps
    state = backbone.state_dict()
    if maps is not None:
        private = grow_private(private, state, maps)
    backbone.load_state_dict({**state, **private})
