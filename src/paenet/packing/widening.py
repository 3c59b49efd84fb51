"""Adding filters: the network at another width, and where its old channels lie in it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from paenet.packing.channels import ChannelMaps, trace
from paenet.packing.errors import PackingError
from paenet.packing.layout import join, layout_of
from paenet.packing.seeding import seeded

if TYPE_CHECKING:
    from paenet.packing.pack import Pack

Width = Any
"""Whatever the builder takes: a factor, or a factor per layer. The core only passes it on."""

Builder = Callable[[Width], nn.Module]
Maps = dict[str, ChannelMaps]


def skeleton_of(network: nn.Module) -> nn.Module:
    """The network without its values: every tensor on the meta device."""
    return copy.deepcopy(network).to("meta")


def fresh_network(pack: Pack, width: Width, seed: int) -> nn.Module:
    """The backbone at `width` with its own initialisation, drawn from `seed`, in the pack's types.

    Raises:
        PackingError: where another width is wanted and the pack was made from a module, or the
            builder's network at that width is not the same network, only wider.
    """
    with seeded(seed):
        if pack.builder is not None:
            network = pack.builder(width).cpu()  # where the pack's values are
        elif width == pack.widths[0].width:
            network = _initialise(copy.deepcopy(pack.widths[0].skeleton).to_empty(device="cpu"))
        else:
            raise PackingError(
                f"cannot build the backbone at width {width}: the pack was made from a module; "
                "make it from a function of the width (Pack(builder))"
            )
    if layout_of(network) != pack.layout:
        raise PackingError(
            f"the builder's network at width {width} has other layers than at width 1; "
            "a width may change channel counts only"
        )
    for parameter in network.parameters():
        # A pretrained network often comes with its gradients off, or with transposed weights.
        parameter.requires_grad_(True)
        parameter.data = parameter.data.contiguous()
    _cast_as_held(pack, network)
    return network


def trace_growth(narrow: nn.Module, wide: nn.Module, example: Tensor | None) -> Maps:
    """Where each channel of `narrow` continues in `wide`.

    Raises:
        PackingError: without an example input, or where widening would change the function.
    """
    if example is None:
        raise PackingError(
            "widening needs an example input: Pack(builder, example=torch.zeros(1, 3, 160, 160))"
        )
    return trace(narrow, skeleton_of(wide), example)


def compose(first: Mapping[str, ChannelMaps], second: Mapping[str, ChannelMaps]) -> Maps:
    """Where channels lie after two widenings."""
    return {name: maps.then(second[name]) for name, maps in first.items()}


def place(maps: ChannelMaps, narrow: Tensor, like: Tensor) -> Tensor:
    """`narrow` at its places in a tensor of zeros of the shape of `like`."""
    return maps.place(narrow.cpu(), torch.zeros(like.shape, dtype=narrow.dtype))


def grow_private(
    narrow: Mapping[str, Tensor], wide: Mapping[str, Tensor], maps: Maps
) -> dict[str, Tensor]:
    """Biases, norms and slopes of the narrow network at their places among the wide one's."""
    return {
        key: value.clone()
        if value.shape == wide[key].shape and value.dim() == 0
        else maps[key.rpartition(".")[0]].place(value, wide[key].detach().cpu())
        for key, value in narrow.items()
    }


def _cast_as_held(pack: Pack, network: nn.Module) -> None:
    """A pack that was read from a file may have another precision than what its builder makes."""
    held = {join(name, "weight"): layer.theta for name, layer in pack.layers.items()}
    if pack.base is not None:
        held |= pack.tasks[pack.base].private
    elif pack.untouched:
        held = pack.given()
    types = {key: tensor.dtype for key, tensor in held.items()}
    usual = next(iter(types.values()))  # where no task is left to say
    for key, tensor in (*network.named_parameters(), *network.named_buffers()):
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(types.get(key, usual))


def _initialise(network: nn.Module) -> nn.Module:
    for module in network.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
    return network
