"""A plain network put together from a skeleton without values and the tensors of a task."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from torch import Tensor, nn


def assemble(
    skeleton: nn.Module,
    state: Mapping[str, Tensor],
    head: nn.Module,
    like: nn.Sequential | None = None,
) -> nn.Sequential:
    """A task as a plain network, in evaluation mode: `backbone`, then `head`.

    Args:
        skeleton: the backbone at the task's width.
        state: its tensors by name, which the network takes over.
        head: copied.
        like: another task's network. The new one takes over those of its modules whose tensors
            are all the same in memory, and need not be built: such networks cannot be trained, or
            moved, apart.
    """
    stand_ins: dict[int, Tensor | nn.Module] = {}  # for what the skeleton has, by identity
    for key, parameter in skeleton.named_parameters():
        stand_ins[id(parameter)] = nn.Parameter(state[key])
    for key, buffer in skeleton.named_buffers():
        stand_ins[id(buffer)] = state[key]
    if like is not None:
        stand_ins |= _in_common(skeleton, state, like.get_submodule("backbone"))
    network = nn.Sequential()
    network.add_module("backbone", copy.deepcopy(skeleton, stand_ins))
    network.add_module("head", copy.deepcopy(head))
    return network.requires_grad_(True).eval()


def _in_common(
    skeleton: nn.Module, state: Mapping[str, Tensor], other: nn.Module
) -> dict[int, nn.Module]:
    """Modules of another backbone by the skeleton's own, where no tensor differs."""
    theirs = {key: tensor.data_ptr() for key, tensor in other.state_dict().items()}
    differing = set()
    for key, tensor in state.items():
        if theirs.get(key) != tensor.data_ptr():
            parts = key.split(".")
            differing |= {".".join(parts[:depth]) for depth in range(len(parts))}
    modules = dict(other.named_modules())
    return {
        id(module): modules[name]
        for name, module in skeleton.named_modules()
        if name in modules and name not in differing
    }
