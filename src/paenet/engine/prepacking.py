"""Convolutions in the form in which oneDNN runs them: weights laid out once, what follows fused in.

torch lays a convolution's weights out anew in every call, which for a single image is a good part
of the time. These are the operations that torch's own compiler puts in place of it when a network
is frozen (`torch._inductor.mkldnn_ir`); they compute the same to rounding.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from functools import lru_cache
from itertools import takewhile
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional

from paenet.engine.folding import layer_uses

_RELU = (functional.relu, torch.relu, "relu")
_ADD = (operator.add, operator.iadd, torch.add, "add")
_MUL = (operator.mul, operator.imul, torch.mul, "mul")

_SEVERAL = 4  # images: the layout for 4 was as fast for 2 and for 32
_How = tuple[Any, ...]  # padding, stride, dilation, groups
_OPERATIONS = (
    "_reorder_convolution_weight",
    "_convolution_pointwise",
    "_get_mkldnn_serialized_md",
    "_is_mkldnn_bf16_supported",
)


def can_prepack(device: torch.device, dtype: torch.dtype = torch.float32) -> bool:
    """Whether torch has these operations for `device` and numbers of a type.

    For bfloat16 oneDNN wants a processor that has instructions for it, or at least AVX-512; all
    else of torch emulates it.
    """
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return False
    if not all(hasattr(torch.ops.mkldnn, name) for name in _OPERATIONS):
        return False
    return dtype == torch.float32 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def prepack(network: fx.GraphModule) -> int:
    """Prepacks every two-dimensional convolution that is called once and not read otherwise.

    A factor, a sum and a ReLU that alone take its output become part of it, where nothing between
    works in place: it might change what the convolution takes before that is read. One of them may
    itself work in place, where nobody else reads later what it changes.

    Args:
        network: in evaluation mode and on the processor, as `paenet.packing.segments` gives it;
            changed in place. It can be called afterwards, but neither compiled nor exported.

    Returns:
        How many convolutions are prepacked.
    """
    uses = layer_uses(network.graph)
    done = 0
    for node in list(network.graph.nodes):
        layer = _module(network, node)
        if type(layer) is not nn.Conv2d or uses[str(node.target)] > 1:
            continue
        if layer.padding_mode != "zeros" or isinstance(layer.padding, str):
            continue
        uses.subtract(_prepack_one(network, node, layer))
        done += 1
    for target, count in uses.items():
        if count == 0:
            network.delete_submodule(target)
    network.recompile()
    return done


class PrepackedConv2d(nn.Module):
    """`relu(conv(x) * factor + summand)`, of which all but the convolution may be absent.

    oneDNN may want another layout for one image than for several, and is slower in the wrong one
    than in none (on AVX2 by half and more). The one for several is found when there are several,
    and kept where it is another: most convolutions have one for all.

    Args:
        layer: the convolution.
        sizes: of its input for one image; layouts are the best ones for these.
        factor: of the convolution's output, before the sum.
        relu: whether a ReLU comes last.
    """

    def __init__(
        self, layer: nn.Conv2d, sizes: tuple[int, ...], factor: float, *, relu: bool
    ) -> None:
        super().__init__()
        self._how = (layer.padding, layer.stride, layer.dilation, layer.groups)
        self._relu = relu
        self._sizes = sizes[1:]
        weight, bias = layer.weight.detach(), layer.bias
        # Most have no factor, and a copy of all weights for nothing would take a while.
        self._weight = self._laid_out(weight if factor == 1 else weight * factor, 1)
        self._weight_for_several: Tensor | None = None
        self._bias = None if bias is None else bias.detach() * factor

    def forward(self, x: Tensor, summand: Tensor | None = None) -> Tensor:
        run = torch.ops.mkldnn._convolution_pointwise
        weight = self._weight if len(x) == 1 else self._for_several()
        result: Tensor
        if summand is None:
            after = "relu" if self._relu else "none"
            result = run(x, weight, self._bias, *self._how, after, [None], "")
        else:
            last = "relu" if self._relu else None
            how: tuple[Any, ...] = (*self._how, "add", 1.0, last, [], "")
            result = run.binary(x, summand, weight, self._bias, *how)
        return result

    def _for_several(self) -> Tensor:
        if self._weight_for_several is None:  # two threads may both make it: they make the same
            kind = (tuple(self._weight.shape), self._weight.dtype, self._how, self._sizes)
            same = _layout_for_several(*kind, torch.get_num_threads()) == _layout(self._weight)
            self._weight_for_several = (
                self._weight if same else self._laid_out(self._weight.to_dense(), _SEVERAL)
            )
        return self._weight_for_several

    def _laid_out(self, weight: Tensor, images: int) -> Tensor:
        return _reordered(weight, self._how, (images, *self._sizes))


# A network has few kinds of convolutions; without a copy of every weight memory stays in one piece.
@lru_cache(maxsize=1024)
def _layout_for_several(
    shape: tuple[int, ...], dtype: torch.dtype, how: _How, sizes: tuple[int, ...], threads: int
) -> bytes:
    """The layout that oneDNN wants for several images, which depends on all of these alone."""
    return _layout(_reordered(torch.empty(shape, dtype=dtype), how, (_SEVERAL, *sizes)))


def _layout(weight: Tensor) -> bytes:
    """How oneDNN has laid out a weight; where two are alike in it, equal values are equal bytes."""
    return bytes(torch.ops.mkldnn._get_mkldnn_serialized_md(weight).tolist())


def _reordered(weight: Tensor, how: _How, sizes: tuple[int, ...]) -> Tensor:
    laid_out: Tensor = torch.ops.mkldnn._reorder_convolution_weight(weight, *how, sizes)
    return laid_out


def _prepack_one(network: fx.GraphModule, node: fx.Node, layer: nn.Conv2d) -> list[str]:
    """Puts a prepacked convolution in the place of a node and of what is to be part of it.

    Returns:
        The layers that are called once less: they are part of the convolution.
    """
    (image,) = node.all_input_nodes
    chain, factor, summand = [node], 1.0, None
    following, operand = _follows(network, chain, _MUL)
    if following is not None and isinstance(operand, int | float):
        chain.append(following)
        factor = float(operand)
    following, operand = _follows(network, chain, _ADD)
    if isinstance(operand, fx.Node) and operand.meta.get("shape") == node.meta["shape"]:
        assert following is not None
        chain.append(following)
        summand = operand
    following, _ = _follows(network, chain, _RELU)
    if following is not None:
        chain.append(following)
    prepacked = PrepackedConv2d(layer, image.meta["shape"], factor, relu=following is not None)
    network.set_submodule(str(node.target), prepacked)
    with network.graph.inserting_after(chain[-1]):  # only there is the summand sure to be known
        inputs = (image,) if summand is None else (image, summand)
        fused = network.graph.call_module(str(node.target), inputs)
    fused.meta |= {"shape": node.meta["shape"], "memory": chain[-1].meta["memory"]}
    chain[-1].replace_all_uses_with(fused)
    for gone in reversed(chain):
        network.graph.erase_node(gone)
    return [str(gone.target) for gone in chain[1:] if gone.op == "call_module"]


def _follows(
    network: fx.GraphModule, chain: list[fx.Node], kinds: tuple[Any, ...]
) -> tuple[fx.Node | None, Any]:
    """The node that goes on a chain, and its other operand, where it is of some kind."""
    node = chain[-1]
    if len(node.users) != 1:
        return None, None
    (following,) = node.users
    between = takewhile(lambda other: other is not following, _after(chain[0]))
    disturbed = any(other.meta.get("changes") for other in between if other not in chain)
    if disturbed or _changes_for_others(following):
        return None, None
    layer = _module(network, following)
    if kinds is _RELU:
        found = isinstance(layer, nn.ReLU) or (layer is None and following.target in kinds)
        return (following, None) if found else (None, None)
    others = [operand for operand in following.args if operand is not node]
    two = len(following.args) == 2 and len(others) == 1 and not following.kwargs
    if layer is None and following.target in kinds and two:
        return following, others[0]
    return None, None


def _changes_for_others(node: fx.Node) -> bool:
    """Whether a node works in place on what is read later by other ways than through it."""
    changed = node.meta.get("changes", frozenset())
    if not changed:
        return False
    later = set(_after(node))
    before = takewhile(lambda other: other is not node, node.graph.nodes)
    sharing = (other for other in before if not changed.isdisjoint(other.meta.get("memory", ())))
    return any(not later.isdisjoint(other.users) for other in sharing)


def _after(node: fx.Node) -> Iterator[fx.Node]:
    """The nodes that run after one."""
    while (node := node.next).op != "root":
        yield node


def _module(network: fx.GraphModule, node: fx.Node) -> nn.Module | None:
    return network.get_submodule(str(node.target)) if node.op == "call_module" else None
