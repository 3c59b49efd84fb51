"""Shapes that are told without computing anything are those that the layers give."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from paenet.packing.tracing.shaping import shaped


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
    "relu": (nn.ReLU(), (2, 4)),
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
    ],
)
def test_what_is_not_sure_has_to_be_run(layer: nn.Module, sizes: tuple[int, ...]) -> None:
    assert shaped(layer.eval(), torch.zeros(sizes)) is None


def test_a_hook_has_to_be_run() -> None:
    layer = nn.Linear(4, 3)
    layer.register_forward_hook(lambda module, inputs, output: output[:1])
    assert shaped(layer, torch.zeros(5, 4)) is None
