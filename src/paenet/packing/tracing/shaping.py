"""What torch's own layers make of a tensor, as far as its shape goes, without computing it."""

from collections.abc import Callable

from torch import Tensor, nn
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


Sizes = tuple[int, ...]


def _of_convolution(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d)
    whole = len(sizes) == len(layer.kernel_size) + 2 and sizes[1] == layer.in_channels
    if not whole or isinstance(layer.padding, str):
        return None
    steps = zip(
        sizes[2:], layer.kernel_size, layer.padding, layer.stride, layer.dilation, strict=True
    )
    found = [
        (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for size, kernel, padding, stride, dilation in steps
    ]
    return (sizes[0], layer.out_channels, *found) if min(found) > 0 else None


def _of_linear(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.Linear)
    fits = bool(sizes) and sizes[-1] == layer.in_features
    return (*sizes[:-1], layer.out_features) if fits else None


def _of_norm(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.BatchNorm2d)
    return sizes if len(sizes) == 4 and sizes[1] == layer.num_features else None


def _of_relu(layer: nn.Module, sizes: Sizes) -> Sizes | None:
    assert isinstance(layer, nn.ReLU)
    return None if layer.inplace else sizes


_SIZES: dict[type[nn.Module], Callable[[nn.Module, Sizes], Sizes | None]] = {
    nn.Conv1d: _of_convolution,
    nn.Conv2d: _of_convolution,
    nn.Conv3d: _of_convolution,
    nn.Linear: _of_linear,
    nn.BatchNorm2d: _of_norm,
    nn.ReLU: _of_relu,
}
