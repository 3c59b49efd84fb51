"""How wide a network becomes: as a whole, and after a split alone."""

import pytest
import torch
from torch import nn

from paenet import backbones
from paenet.packing import PackingError, splits, width_above, width_for
from paenet.packing.layout import layout_of
from tests.packing.networks import batch_norm, images


def build(width: object) -> nn.Module:
    return backbones.create("small", width=width)


def above(width: object, below: tuple[str, ...]) -> int:
    weights = dict(build(width).named_parameters())
    return sum(
        p.numel()
        for name, p in weights.items()
        if p.dim() > 1 and name.removesuffix(".weight") not in below
    )


@pytest.mark.parametrize("ratio", [0.3, 0.6, 1.2, 1.5, 3.0])
def test_what_follows_a_split_gets_so_many_times_its_weights_and_nothing_else_changes(
    ratio: float,
) -> None:
    split = splits(build(1.0), torch.zeros(1, 3, 64, 64))["stage1"]
    width = width_above(build, split, ratio)
    assert width is not None
    assert above(width, split.layers) == pytest.approx(ratio * above(1.0, split.layers), rel=0.1)
    before, after = build(1.0).state_dict(), build(width).state_dict()
    assert all(before[key].shape == after[key].shape for key in split.keys(before))
    again = width_above(build, split, 1.5, width)
    assert again is not None
    assert above(again, split.layers) == pytest.approx(1.5 * above(width, split.layers), rel=0.1)


@pytest.mark.parametrize("ratio", [0.3, 0.5, 1.1, 1.5, 2.0, 4.0])
def test_the_width_for_a_ratio_gives_about_so_many_weights(ratio: float) -> None:
    def builder(width: float) -> nn.Module:
        a = round(64 * width)
        return nn.Sequential(nn.Conv2d(3, a, 3), nn.Conv2d(a, a, 3), nn.Linear(a, 8))

    def weights(width: float) -> int:
        network = builder(width)
        return sum(network.get_submodule(n).weight.numel() for n in layout_of(network).packed)

    width = width_for(builder, ratio)
    assert weights(width) == pytest.approx(ratio * weights(1.0), rel=0.05)
    again = width_for(builder, 1.5, current=width)
    assert weights(again) == pytest.approx(1.5 * weights(width), rel=0.05)


def test_a_network_of_one_factor_cannot_be_widened_after_a_split() -> None:
    split = splits(batch_norm(1.0), images(1))["0"]
    assert width_above(batch_norm, split, 1.5) is None


def test_where_everything_is_below_there_is_nothing_to_widen() -> None:
    found = splits(build(1.0), torch.zeros(1, 3, 64, 64))
    assert width_above(build, found["linear"], 1.5) is None


@pytest.mark.parametrize("ratio", [1.0, 0.0, -1.0, float("nan"), float("inf")])
def test_a_ratio_that_changes_nothing_or_is_none_is_refused(ratio: float) -> None:
    with pytest.raises(PackingError, match="give a ratio above 1"):
        width_for(batch_norm, ratio)
    split = splits(batch_norm(1.0), images(1))["0"]
    with pytest.raises(PackingError, match="give a ratio above 1"):
        width_above(batch_norm, split, ratio)
