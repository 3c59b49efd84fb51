"""Shapes that are told without computing anything are those that the layers give."""

import operator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.tracing.shaping import shaped, shaped_call


class _Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


LAYERS = {
    "conv1d": (nn.Conv1d(4, 6, 3, stride=2, dilation=2), (2, 4, 17)),
    "conv2d": (nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(1, 0)), (2, 4, 11, 12)),
    "grouped": (nn.Conv2d(4, 8, 3, groups=2, bias=False), (1, 4, 7, 8)),
    "conv3d": (nn.Conv3d(4, 2, 2), (1, 4, 5, 6, 7)),
    "linear": (nn.Linear(4, 3), (5, 2, 4)),
    "norm": (nn.BatchNorm2d(4), (2, 4, 3, 3)),
    "norm of features": (nn.BatchNorm1d(4), (2, 4)),
    "norm of a row": (nn.BatchNorm1d(4), (2, 4, 5)),
    "norm of a volume": (nn.BatchNorm3d(4), (2, 4, 2, 2, 2)),
    "groups": (nn.GroupNorm(2, 4), (2, 4, 3)),
    "layer norm": (nn.LayerNorm((4, 3)), (2, 5, 4, 3)),
    "response norm": (nn.LocalResponseNorm(5), (2, 4, 5, 5)),
    "largest": (nn.MaxPool2d(3, 2), (2, 4, 8, 9)),
    "largest of one": (nn.MaxPool2d((3, 2), padding=1, dilation=2), (4, 8, 9)),
    "pool": (nn.AdaptiveAvgPool2d((2, 3)), (2, 4, 5, 6)),
    "pool to one": (nn.AdaptiveAvgPool2d(1), (4, 5, 6)),
    "slope": (nn.PReLU(), (2,)),
    "slopes": (nn.PReLU(4), (2, 4, 3)),
    "relu": (nn.ReLU(), (2, 4)),
    "gelu": (nn.GELU(), (2, 4)),
    "hardswish": (nn.Hardswish(), (2, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_a_shape_is_that_of_what_the_layer_returns(name: str) -> None:
    layer, sizes = LAYERS[name]
    x = torch.randn(sizes)
    told = shaped(layer.eval(), x)
    assert told is not None
    expected = layer(x)
    assert (told.shape, told.dtype) == (expected.shape, expected.dtype)
    assert told.untyped_storage().data_ptr() != x.untyped_storage().data_ptr()


def test_a_parametrised_layer_is_of_its_kind() -> None:
    layer = nn.Conv2d(3, 4, 3)
    parametrize.register_parametrization(layer, "weight", _Doubled())
    told = shaped(layer, torch.zeros(1, 3, 8, 8))
    assert told is not None
    assert told.shape == (1, 4, 6, 6)


@pytest.mark.parametrize(
    ("layer", "sizes"),
    [
        (nn.Dropout(), (2, 4)),  # in evaluation it hands on what it is given
        (nn.ReLU(inplace=True), (2, 4)),
        (nn.Conv2d(4, 6, 3, padding="same"), (1, 4, 8, 8)),
        (nn.Conv2d(4, 6, 3), (4, 8, 8)),
        (nn.Conv2d(3, 6, 3), (1, 4, 8, 8)),  # which it refuses
        (nn.Conv2d(4, 6, 9), (1, 4, 8, 8)),
        (nn.Conv2d(4, 6, 3).double(), (1, 4, 8, 8)),
        (nn.Linear(3, 2), (5, 4)),
        (nn.BatchNorm2d(3), (1, 4, 8, 8)),
        (nn.BatchNorm1d(4), (1, 4, 8, 8)),
        (nn.GroupNorm(3, 3), (1, 4)),
        (nn.AdaptiveAvgPool2d((None, 3)), (2, 4, 5, 6)),
        (nn.MaxPool2d(2, ceil_mode=True), (2, 4, 5, 6)),
        (nn.MaxPool2d(2, return_indices=True), (2, 4, 5, 6)),
        (nn.MaxPool2d(3, padding=2), (2, 4, 5, 6)),  # which it refuses
        (nn.MaxPool2d(7), (2, 4, 5, 6)),
        (nn.LayerNorm(3), (1, 4)),
        (nn.PReLU(3), (1, 4)),
        (nn.Hardswish(inplace=True), (2, 4)),
    ],
)
def test_what_is_not_sure_has_to_be_run(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    assert shaped(layer.eval(), torch.zeros(sizes)) is None


CALLS = {
    "sum": (operator.add, (torch.ones(2, 3), torch.ones(2, 3))),
    "sum over an axis of one": (torch.add, (torch.ones(2, 1, 4), torch.ones(3, 1))),
    "scaled": (operator.mul, (torch.ones(2, 3), 0.5)),
    "from a number": (operator.sub, (1, torch.ones(2, 3))),
    "side by side": (torch.cat, ([torch.ones(2, 3), torch.ones(2, 4)], 1)),
    "from the end": (torch.cat, ((torch.ones(2, 3), torch.ones(1, 3)), -2)),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_shape_is_that_of_what_the_function_returns(name: str) -> None:
    function, args = CALLS[name]
    told, expected = shaped_call(function, args), function(*args)
    assert told is not None
    assert (told.shape, told.dtype) == (expected.shape, expected.dtype)


@pytest.mark.parametrize("change", [operator.iadd, operator.isub, operator.imul, operator.itruediv])
@pytest.mark.parametrize("other", [0.5, torch.ones(3), torch.ones(2, 1)])
def test_what_is_changed_in_place_counts_as_changed(change: Any, other: Any) -> None:
    x = torch.ones(2, 3, device="meta")
    other = other.to("meta") if isinstance(other, Tensor) else other
    before = x._version
    assert shaped_call(change, (x, other)) is x
    assert x._version > before


@pytest.mark.parametrize(
    ("function", "args"),
    [
        (operator.iadd, (torch.ones(2, 1), torch.ones(2, 3))),  # which it refuses
        (operator.iadd, (torch.ones(2), torch.ones(2, dtype=torch.float64))),
        (operator.iadd, (1, torch.ones(2))),
        (operator.add, (torch.ones(2), torch.ones(3))),
        (operator.add, (torch.ones(2), torch.ones(2, dtype=torch.float64))),
        (operator.add, (torch.ones(2, dtype=torch.int64), 0.5)),
        (operator.mul, (torch.ones(2), True)),
        (torch.cat, ([torch.ones(2, 3), torch.ones(2, 4)], 0)),
        (torch.cat, ([torch.ones(2, 3), torch.ones(2)], 1)),
        (torch.cat, ([torch.ones(2, 3), torch.ones(2, 3)], 2)),
        (torch.matmul, (torch.ones(2, 3), torch.ones(3, 2))),
    ],
)
def test_what_a_function_makes_is_left_to_it_where_that_is_not_sure(
    function: Any, args: tuple[Any, ...]
) -> None:
    assert shaped_call(function, args) is None


def test_a_hook_has_to_be_run() -> None:
    layer = nn.Linear(4, 3)
    layer.register_forward_hook(lambda module, inputs, output: output[:1])
    assert shaped(layer, torch.zeros(5, 4)) is None
