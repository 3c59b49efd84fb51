"""How much the nodes of a traced network compute: multiplications, by the shapes of tensors."""

from __future__ import annotations

import math
import operator
from typing import Any

import torch
from torch import fx, nn
from torch.nn import functional

from paenet.packing.layout import PACKABLE

_LAYERS = (functional.conv1d, functional.conv2d, functional.conv3d, functional.linear)
_PRODUCTS = (torch.matmul, operator.matmul, torch.mm, torch.bmm, "matmul", "mm", "bmm")
_ATTENTION = functional.scaled_dot_product_attention


def multiplications(node: fx.Node, called: nn.Module | None) -> int:
    """Of a node that is a packed layer, what such a layer computes, or a product of tensors.

    `torch.utils.flop_counter` counts what runs, and takes two seconds of imports to do so.

    Args:
        node: one whose inputs have, as it has, a `meta["shape"]`, which is None of what is no
            tensor.
        called: the layer that it calls.

    Returns:
        0 of all else.
    """
    shape: tuple[int, ...] = node.meta["shape"]
    if isinstance(called, PACKABLE):
        return math.prod((*shape, *called.weight.shape[1:]))
    if node.target in _LAYERS:
        weight = _shape(node, 1, "weight")
        return 0 if weight is None else math.prod((*shape, *weight[1:]))
    if node.target in _PRODUCTS:
        summed = (_shape(node, 0, "input") or (0,))[-1]
        return math.prod((*shape, summed))
    if node.target is _ATTENTION:
        query, key = _shape(node, 0, "query"), _shape(node, 1, "key")
        if query is None or key is None:
            return 0
        return key[-2] * (math.prod(query) + math.prod(shape))
    return 0


def _shape(node: fx.Node, place: int, name: str) -> tuple[int, ...] | None:
    """Of the tensor that is an argument; None where it is no node's."""
    given: Any = node.args[place] if place < len(node.args) else node.kwargs.get(name)
    return given.meta["shape"] if isinstance(given, fx.Node) else None
