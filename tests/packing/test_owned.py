"""A weight of which only a part can be trained."""

import pytest
import torch
from torch import nn

from paenet.packing.owned import own, owned_layers
from paenet.packing.values import NATIVE


def half_owned() -> nn.Linear:
    layer = nn.Linear(4, 2, bias=False)
    trainable = torch.tensor([[True, False, True, False], [False, True, False, True]])
    own(layer, trainable, torch.full((2, 4), 3.0))
    return layer


def test_a_weight_is_trainable_or_the_constant() -> None:
    layer = half_owned()
    theta, owned = owned_layers(layer)[""]
    assert torch.equal(layer.weight[owned.trainable], theta[owned.trainable])
    assert (layer.weight[~owned.trainable] == 3).all()


def test_no_gradient_reaches_the_constant() -> None:
    layer = half_owned()
    theta, owned = owned_layers(layer)[""]
    layer(torch.randn(5, 4)).square().sum().backward()
    assert theta.grad is not None
    assert theta.grad[owned.trainable].all()
    assert not theta.grad[~owned.trainable].any()
    assert [name for name, _ in layer.named_parameters()] == ["parametrizations.weight.original"]


def test_nothing_done_to_theta_shows_where_the_constant_is() -> None:
    layer = half_owned()
    theta, owned = owned_layers(layer)[""]
    before = layer.weight.detach().clone()
    theta.data.fill_(torch.nan)
    assert torch.equal(layer.weight[~owned.trainable], before[~owned.trainable])


def test_a_saved_layer_holds_theta_its_grid_and_what_is_trainable() -> None:
    # The constant is the pack's; a checkpoint need not carry it once more.
    assert set(half_owned().state_dict()) == {
        "parametrizations.weight.original",
        "parametrizations.weight.0.trainable",
        "parametrizations.weight.0.grid",
    }


@pytest.mark.parametrize("before", [NATIVE, "int8", "codebook4"])
@pytest.mark.parametrize("grid", [NATIVE, "int8", "codebook3"])
def test_a_saved_layer_brings_its_grid_along(grid: str, before: str) -> None:
    layer, fresh = half_owned(), half_owned()
    for one, name in ((layer, grid), (fresh, before)):
        theta, owned = owned_layers(one)[""]
        owned.snap(name, theta)
    fresh.load_state_dict(layer.state_dict())
    assert owned_layers(fresh)[""][1].grid == grid
    assert torch.equal(fresh.weight, layer.weight)


def test_a_layer_that_was_saved_without_a_grid_keeps_its_own() -> None:
    layer = half_owned()
    theta, owned = owned_layers(layer)[""]
    owned.snap("int8", theta)
    state = layer.state_dict()
    del state["parametrizations.weight.0.grid"]
    layer.load_state_dict(state)
    assert owned.grid == "int8"


def test_replicas_on_other_devices_have_masks_of_their_own() -> None:
    _, owned = owned_layers(half_owned())[""]
    replica = owned._replicate_for_data_parallel()
    assert replica._mask is not owned._mask
