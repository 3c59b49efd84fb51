"""The two networks for age and gender that the paper compares with."""

import pytest
import torch
from torch import nn

from paenet import backbones
from paenet.backbones import LMTCNN, LeviHassner
from paenet.packing import Pack

both = pytest.mark.parametrize(("name", "least"), [("levi-hassner", 35), ("lmtcnn", 47)])


@both
def test_it_takes_images_of_other_sizes_than_227_pixels(name: str, least: int) -> None:
    with torch.device("meta"):
        network = backbones.create(name).eval()
        for side in (least, 64, 160, 227):
            assert network(torch.empty(1, 3, side, side)).shape == (1, 512)
        with pytest.raises(RuntimeError, match="too small"):
            network(torch.empty(1, 3, least - 1, least - 1))


def test_levi_hassner_with_the_head_for_ages_has_the_parameters_of_the_published_model() -> None:
    # age_net.caffemodel is 45,661,480 bytes: 4 for each parameter and little more.
    with torch.device("meta"):
        network = nn.Sequential(LeviHassner(), nn.Linear(512, 8))
    count = sum(p.numel() for p in network.parameters())
    assert count == 11_415_048
    assert 0 < 45_661_480 - 4 * count < 2_000


def test_levi_hassner_has_the_layers_of_the_published_definition() -> None:
    with torch.device("meta"):
        network = LeviHassner()
    shapes = [tuple(p.shape) for p in network.parameters() if p.dim() > 1]
    assert shapes == [
        (96, 3, 7, 7),
        (256, 96, 5, 5),
        (384, 256, 3, 3),
        (512, 384 * 7 * 7),
        (512, 512),
    ]


def test_lmtcnn_has_the_layers_of_the_published_code() -> None:
    with torch.device("meta"):
        network = LMTCNN()
    shapes = [tuple(p.shape) for p in network.parameters() if p.dim() > 1]
    assert shapes == [
        (96, 3, 7, 7),
        (96, 1, 3, 3),
        (512, 96, 1, 1),
        (512, 1, 3, 3),
        (384, 512, 1, 1),
        (512, 384 * 6 * 6),
        (512, 512),
    ]


def test_lmtcnn_is_a_third_smaller_than_the_network_that_it_makes_light() -> None:
    with torch.device("meta"):
        light, heavy = (sum(p.numel() for p in n.parameters()) for n in (LMTCNN(), LeviHassner()))
    assert light == pytest.approx(2 / 3 * heavy, rel=0.01)


@both
def test_layers_before_a_local_response_norm_keep_their_width(name: str, least: int) -> None:
    with torch.device("meta"):
        narrow, wide = (backbones.create(name, width=width) for width in (1.0, 2.0))
        assert narrow.conv1.out_channels == wide.conv1.out_channels == 96
    with pytest.raises(backbones.BackboneError, match="'conv1' is not a layer with a width"):
        backbones.create(name, width={"conv1": 2.0})


@both
def test_a_task_can_be_packed_into_it_and_another_widens_it(name: str, least: int) -> None:
    images = torch.randn(2, 3, 64, 64)
    pack = Pack(lambda width=1.0: _narrow(name, width), example=images)
    gender = pack.learn("gender", head=nn.Linear(16, 2), sees="base")
    gender.prune(to=0.6)
    gender.freeze()
    before = pack.fingerprint("gender")
    age = pack.learn("age", head=nn.Linear(16, 8), sees="base").eval()
    with torch.no_grad():
        expected = age(images)
        age.widen(1.5, seed=0)
        torch.testing.assert_close(age.eval()(images), expected)
    age.freeze()
    assert pack.fingerprint("gender") == before


def _narrow(name: str, width: float) -> nn.Module:
    return backbones.create(name, width=0.1 * width, features=16)
