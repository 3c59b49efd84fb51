"""What cannot be packed is refused at once, by name and with the reason."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from paenet.packing import Pack, PackingError
from paenet.packing.layout import layout_of
from tests.packing.networks import NETWORKS


class Own(nn.Module):
    """A layer with a parameter that no layer of torch's has."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class Counting(nn.Module):
    """A layer that keeps something it does not save."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(4), persistent=False)


class ForgetfulNorm(nn.BatchNorm1d):
    def __init__(self) -> None:
        super().__init__(4)
        self.register_buffer("peak", torch.zeros(4), persistent=False)


def tied() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    network[1].weight = network[0].weight
    return network


def one_norm_twice() -> nn.Module:
    norm = nn.BatchNorm1d(4, affine=False)
    return nn.Sequential(nn.Linear(4, 4), norm, nn.Linear(4, 4), norm)


def parametrised() -> nn.Module:
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(4, 4, bias=False)))


def hooked() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    network[1].register_forward_hook(lambda module, inputs, output: output + 1)
    return network


def yes_or_no() -> nn.Module:
    network = nn.Sequential(nn.Linear(4, 4), nn.Module())
    network[1].gate = nn.Parameter(torch.ones(4, dtype=torch.bool), requires_grad=False)
    return network


def beside(layer: nn.Module) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(nn.Linear(4, 4), layer)


@pytest.mark.parametrize(
    ("build", "named"),
    [
        (beside(nn.LSTM(4, 4)), r"layer '1' \(LSTM\) .*weight_ih_l0"),
        (beside(nn.Embedding(4, 4)), r"layer '1' \(Embedding\) .*weight"),
        (beside(nn.MultiheadAttention(4, 2)), r"layer '1' \(MultiheadAttention\) .*in_proj_weight"),
        (beside(nn.ConvTranspose2d(4, 4, 1)), r"layer '1' \(ConvTranspose2d\) .*packable are Conv"),
        (beside(nn.Bilinear(4, 4, 4)), r"layer '1' \(Bilinear\)"),
        (beside(Own()), r"layer '1' \(Own\) .*tensors of its own \(scale\)"),
        (Own, r"layer \(the backbone itself\) \(Own\)"),
        (beside(Counting()), r"layer '1' \(Counting\) .*seen"),
        (beside(ForgetfulNorm()), r"layer '1' \(ForgetfulNorm\) .*does not save .*peak"),
        (tied, r"'0.weight' and '1.weight' are one tensor"),
        (one_norm_twice, r"'1.running_mean' and '3.running_mean' are one tensor"),
        (parametrised, r"layer '0' is parametrised already"),
        (hooked, r"layer '1' has hooks"),
        (yes_or_no, r"'1.gate' is torch.bool; weights must be floats"),
        (beside(nn.LazyLinear(4)), r"'1.weight' has no shape yet"),
        (lambda: nn.Sequential(nn.ReLU(), nn.BatchNorm1d(4)), "no layer to pack"),
    ],
)
def test_what_cannot_be_packed_is_named_with_the_reason(
    build: Callable[[], nn.Module], named: str
) -> None:
    with pytest.raises(PackingError, match=named) as caught:
        Pack(build())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_every_tensor_is_either_packed_or_private(builder: Callable[[float], nn.Module]) -> None:
    network = builder(1.0)
    layout = layout_of(network)
    packed = {f"{name}.weight" for name in layout.packed}
    assert packed.isdisjoint(layout.private)
    assert packed | set(layout.private) == set(network.state_dict())


def test_a_parametrisation_that_was_removed_is_no_obstacle() -> None:
    network = parametrised()
    parametrize.remove_parametrizations(network[0], "weight")
    assert layout_of(network).packed == ("0",)
