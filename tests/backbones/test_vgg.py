import pytest
import torch
from torch import nn

from paenet.backbones import VGG16BN


@pytest.mark.parametrize("side", [32, 64, 100, 224])
def test_it_takes_images_from_32_to_224_pixels(side: int) -> None:
    with torch.device("meta"):
        assert VGG16BN().eval()(torch.empty(2, 3, side, side)).shape == (2, 4096)


def test_it_has_thirteen_convolutions_and_two_hidden_layers_with_their_sizes() -> None:
    with torch.device("meta"):
        modules = list(VGG16BN().modules())
    convolutions = [m.out_channels for m in modules if isinstance(m, nn.Conv2d)]
    assert convolutions == [64] * 2 + [128] * 2 + [256] * 3 + [512] * 6
    linear = [(m.in_features, m.out_features) for m in modules if isinstance(m, nn.Linear)]
    assert linear == [(512, 4096), (4096, 4096)]


def test_with_pool_7_keys_and_sizes_are_those_of_torchvision() -> None:
    with torch.device("meta"):
        network = VGG16BN(pool=7)
    shapes = {key: tuple(tensor.shape) for key, tensor in network.state_dict().items()}
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.1.running_mean"] == (64,)
    assert shapes["features.40.bias"] == (512,)
    assert shapes["classifier.0.weight"] == (4096, 25088)
    assert shapes["classifier.3.weight"] == (4096, 4096)
    # 138,365,992 parameters (torchvision's documentation) less its last layer.
    assert sum(p.numel() for p in network.parameters()) == 138_365_992 - 4097 * 1000


def test_the_output_has_the_size_that_is_asked_for_at_any_width() -> None:
    with torch.device("meta"):
        images = torch.empty(1, 3, 32, 32)
        for width in (0.3, {"conv5_3": 2.0, "fc6": 0.25}):
            assert VGG16BN(width, features=512).eval()(images).shape == (1, 512)


def test_layers_are_named_as_in_the_paper() -> None:
    with torch.device("meta"):
        network = VGG16BN({"conv3_2": 2.0, "fc6": 0.5})
    assert network.features[17].out_channels == network.features[20].in_channels == 512
    assert network.classifier[0].out_features == 2048
