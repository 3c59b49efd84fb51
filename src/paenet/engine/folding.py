"""Norms folded into the layers before them: fewer passes over the activations."""

from __future__ import annotations

import copy
from collections import Counter

import torch
from torch import Tensor, fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

_CONVOLUTIONS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}


def fold_norms(network: fx.GraphModule) -> int:
    """Folds batch norms into the convolution or linear layer whose output they alone take.

    What is computed stays the same up to rounding. (`torch.fx.experimental.optimization.fuse`
    does so too, but also where the layer is called elsewhere, or where the norm is over another
    dimension than the linear layer's outputs, and is then wrong.)

    Args:
        network: in evaluation mode, as `paenet.packing.segments` gives it; changed in place.

    Returns:
        How many norms are gone.
    """
    uses = layer_uses(network.graph)
    folded = 0
    for node in list(network.graph.nodes):
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        if uses[str(before.target)] > 1 or uses[str(node.target)] > 1:
            continue
        layer = network.get_submodule(str(before.target))
        fused = _fused(layer, network.get_submodule(str(node.target)), before.meta["shape"])
        if fused is None:
            continue
        network.set_submodule(str(before.target), fused)
        before.meta["memory"] = node.meta["memory"]  # what viewed the norm's views this
        node.replace_all_uses_with(before)
        network.graph.erase_node(node)
        network.delete_submodule(str(node.target))
        folded += 1
    network.recompile()
    return folded


def layer_uses(graph: fx.Graph) -> Counter[str]:
    """How often each layer is called, or a tensor of it is read by other ways."""
    return Counter(
        str(node.target) if node.op == "call_module" else str(node.target).rpartition(".")[0]
        for node in graph.nodes
        if node.op in ("call_module", "get_attr")
    )


def _fused(layer: nn.Module, norm: nn.Module, shape: tuple[int, ...]) -> nn.Module | None:
    """One layer that computes what both do; None where there is none."""
    kind = type(layer)  # a subclass may compute something else
    if not isinstance(norm, nn.modules.batchnorm._BatchNorm) or norm.running_mean is None:
        return None
    if isinstance(layer, nn.modules.conv._ConvNd) and type(norm) is _CONVOLUTIONS.get(kind):
        return _with(layer, fuse_conv_bn_weights(layer.weight, layer.bias, *_statistics(norm)))
    # Over a sequence, the norm is of the places and not of the layer's outputs.
    flat = type(norm) is nn.BatchNorm1d and len(shape) == 2
    if isinstance(layer, nn.Linear) and kind is nn.Linear and flat:
        return _with(layer, fuse_linear_bn_weights(layer.weight, layer.bias, *_statistics(norm)))
    return None


def _statistics(
    norm: nn.modules.batchnorm._BatchNorm,
) -> tuple[Tensor, Tensor, float, Tensor, Tensor]:
    """Mean, variance and what is added to it, scale and shift of every channel."""
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    if norm.affine:
        return mean, variance, norm.eps, norm.weight, norm.bias
    return mean, variance, norm.eps, torch.ones_like(mean), torch.zeros_like(mean)


def _with(layer: nn.Module, values: tuple[nn.Parameter, nn.Parameter]) -> nn.Module:
    """A layer that is like another in all but weight and bias."""
    # Nothing is copied that is replaced, as torch.nn.utils.fusion would: that is most of the work.
    changed = copy.copy(layer)
    changed._parameters = dict(zip(("weight", "bias"), values, strict=True))
    return changed
