"""A weight of which only a part can be trained."""

import torch
from torch import nn

from paenet.packing.owned import own, owned_layers


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


def test_a_saved_layer_holds_theta_and_what_is_trainable() -> None:
    # The constant is the pack's; a checkpoint need not carry it once more.
    assert set(half_owned().state_dict()) == {
        "parametrizations.weight.original",
        "parametrizations.weight.0.trainable",
    }


def test_replicas_on_other_devices_have_masks_of_their_own() -> None:
    _, owned = owned_layers(half_owned())[""]
    replica = owned._replicate_for_data_parallel()
    assert replica._mask is not owned._mask
