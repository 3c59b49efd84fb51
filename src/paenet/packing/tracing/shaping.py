"""What torch's own layers and sums make of tensors, as far as shapes go, without computing it.

Tensors without values (on the meta device) take torch through decompositions written in Python, for
which it imports its compiler: two seconds that whoever asks what is in a file would wait.
"""

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import increment_version
from torch.nn.utils import parametrize


def shaped(layer: nn.Module, x: Tensor) -> Tensor | None:
    """A tensor as a layer returns it, of zeros; None where the layer has to be run to know.

    It is new memory, as the layer's answer is: those that may hand on what they are given, such as
    a dropout, have to be run.

    Args:
        layer: in evaluation mode.
    """
    find = _SIZES.get(parametrize.type_before_parametrizations(layer))
    hooks = layer._forward_hooks or layer._forward_pre_hooks
    parameter = next(layer.parameters(), None)
    same = parameter is None or (parameter.dtype, parameter.device) == (x.dtype, x.device)
    sizes = find(layer, tuple(x.shape)) if find is not None and same and not hooks else None
    return None if sizes is None else x.new_zeros(sizes)


def shaped_call(function: Any, args: Sequence[Any]) -> Tensor | None:
    """A tensor as a sum, a product or a concatenation returns it, of zeros; None for all else.

    Those that work in place return what they are given, which then counts as changed.
    """
    if function in _ENTRY_BY_ENTRY and len(args) == 2:
        sizes = _of_entries(args)
        return None if sizes is None else _first(args).new_zeros(sizes)
    if function in _IN_PLACE and len(args) == 2:
        return _changed(args)
    if function is torch.cat and len(args) == 2 and isinstance(args[1], int):
        return _of_cat(args[0], args[1])
    return None


_ENTRY_BY_ENTRY = (
    *(operator.add, operator.sub, operator.mul, operator.truediv),
    *(torch.add, torch.sub, torch.mul),
)
_IN_PLACE = (operator.iadd, operator.isub, operator.imul, operator.itruediv)


def _of_entries(args: Sequence[Any]) -> torch.Size | None:
    tensors = [value for value in args if isinstance(value, Tensor)]
    plain = all(type(value) in (int, float) for value in args if not isinstance(value, Tensor))
    if not plain or not _alike(tensors):
        return None
    sizes = tensors[0].shape
    for other in tensors[1:]:
        found = _broadcast(sizes, other.shape)
        if found is None:  # which the sum itself shall say
            return None
        sizes = found
    return sizes


def _first(args: Sequence[Any]) -> Tensor:
    return next(value for value in args if isinstance(value, Tensor))


def _changed(args: Sequence[Any]) -> Tensor | None:
    changed = args[0]
    if not isinstance(changed, Tensor) or _of_entries(args) != changed.shape:
        return None
    increment_version(changed)
    return changed


def _broadcast(one: Sequence[int], other: Sequence[int]) -> torch.Size | None:
    """The shape of a sum of two shapes; `torch.broadcast_shapes` takes a second of imports."""
    axes = max(len(one), len(other))
    first, second = ((1,) * (axes - len(sizes)) + tuple(sizes) for sizes in (one, other))
    pairs = list(zip(first, second, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        return None
    return torch.Size(b if a == 1 else a for a, b in pairs)


def _of_cat(tensors: Sequence[Tensor], axis: int) -> Tensor | None:
    if not all(isinstance(t, Tensor) for t in tensors) or not _alike(tensors):
        return None
    first = tensors[0].shape
    if not -len(first) <= axis < len(first):
        return None
    axis %= len(first)
    if len({(t.dim(), *t.shape[:axis], *t.shape[axis + 1 :]) for t in tensors}) > 1:
        return None
    sizes = (*first[:axis], sum(t.shape[axis] for t in tensors), *first[axis + 1 :])
    return tensors[0].new_zeros(sizes)


def _alike(tensors: Sequence[Tensor]) -> bool:
    """Whether all are of one kind of fractions, which what they make is of, too."""
    kinds = {(t.dtype, t.device) for t in tensors}
    return len(kinds) == 1 and tensors[0].is_floating_point()


Sizes = tuple[int, ...]


def _of_convolution(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    whole = len(sizes) == len(layer.kernel_size) + 2 and sizes[1] == layer.in_channels
    if not whole or isinstance(layer.padding, str):
        return None
    found = _places(sizes[2:], layer.kernel_size, layer.padding, layer.stride, layer.dilation)
    return (sizes[0], layer.out_channels, *found) if min(found) > 0 else None


def _of_max_pool(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.MaxPool2d)
    kernel, padding, stride, dilation = (
        (value, value) if isinstance(value, int) else tuple(value)
        for value in (layer.kernel_size, layer.padding, layer.stride, layer.dilation)
    )
    if len(sizes) not in (3, 4) or layer.ceil_mode or layer.return_indices:
        return None
    found = _places(sizes[-2:], kernel, padding, stride, dilation)
    fits = min(found) > 0 and all(2 * p <= k for p, k in zip(padding, kernel, strict=True))
    return (*sizes[:-2], *found) if fits else None


def _places(size: Sizes, kernel: Sizes, padding: Sizes, stride: Sizes, dilation: Sizes) -> Sizes:
    """How many places a window that moves over an image takes, along every axis."""
    steps = zip(size, kernel, padding, stride, dilation, strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, p, s, d in steps)


def _of_linear(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.Linear)
    fits = bool(sizes) and sizes[-1] == layer.in_features
    return (*sizes[:-1], layer.out_features) if fits else None


def _of_batch_norm(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d)
    kinds = {(2, 3): nn.BatchNorm1d, (4,): nn.BatchNorm2d, (5,): nn.BatchNorm3d}
    fits = any(len(sizes) in axes and isinstance(layer, kind) for axes, kind in kinds.items())
    return sizes if fits and sizes[1] == layer.num_features else None


def _of_group_norm(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.GroupNorm)
    return sizes if len(sizes) > 1 and sizes[1] == layer.num_channels else None


def _of_layer_norm(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.LayerNorm)
    return sizes if sizes[-len(layer.normalized_shape) :] == layer.normalized_shape else None


def _of_prelu(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.PReLU)
    fits = layer.num_parameters == 1 or (len(sizes) > 1 and sizes[1] == layer.num_parameters)
    return sizes if fits else None


def _of_response_norm(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    return sizes if len(sizes) > 2 else None


def _of_adaptive_pool(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.AdaptiveAvgPool2d)
    size: Any = layer.output_size
    wanted: Sizes = (size, size) if isinstance(size, int) else tuple(size)
    known = len(sizes) in (3, 4) and all(isinstance(side, int) for side in wanted)
    return (*sizes[:-2], *wanted) if known else None


def _of_activation(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    """Of one that looks at each number by itself."""
    return None if getattr(layer, "inplace", False) else sizes


_SIZES: dict[type[nn.Module], Callable[[nn.Module, Sizes], Sizes | None]] = {
    nn.Conv1d: _of_convolution,
    nn.Conv2d: _of_convolution,
    nn.Conv3d: _of_convolution,
    nn.Linear: _of_linear,
    nn.BatchNorm1d: _of_batch_norm,
    nn.BatchNorm2d: _of_batch_norm,
    nn.BatchNorm3d: _of_batch_norm,
    nn.GroupNorm: _of_group_norm,
    nn.LayerNorm: _of_layer_norm,
    nn.LocalResponseNorm: _of_response_norm,
    nn.AdaptiveAvgPool2d: _of_adaptive_pool,
    nn.MaxPool2d: _of_max_pool,
    nn.PReLU: _of_prelu,
    nn.ELU: _of_activation,
    nn.GELU: _of_activation,
    nn.Hardswish: _of_activation,
    nn.LeakyReLU: _of_activation,
    nn.ReLU: _of_activation,
    nn.ReLU6: _of_activation,
    nn.SiLU: _of_activation,
    nn.Sigmoid: _of_activation,
    nn.Tanh: _of_activation,
}
