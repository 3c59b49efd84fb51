"""A wide network can go on computing what the narrow one did, whatever its new channels hold."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from paenet.backbones.inception_resnet import InceptionResnetV1
from paenet.packing.channels.provenance import ChannelMaps, trace
from paenet.packing.errors import PackingError
from tests.packing.channel_networks import (
    EXAMPLES,
    NETWORKS,
    Builder,
    Toy,
    chain,
    concatenation,
    head,
    layer_called_twice,
    scaled,
)


def example_of(name: str) -> Tensor:
    return torch.randn(EXAMPLES.get(name, (2, 3, 8, 8)), dtype=torch.float64)


def scrambled(network: nn.Module) -> nn.Module:
    """In evaluation mode and float64, with every parameter and statistic drawn anew."""
    network.double().eval()
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(torch.rand_like(tensor) + 0.5 if tensor.dim() == 1 else tensor)
    return network


def grow(narrow: nn.Module, wide: nn.Module, maps: dict[str, ChannelMaps]) -> None:
    """Puts every tensor of `narrow` at its place in `wide`."""
    state = wide.state_dict()
    for key, value in narrow.state_dict().items():
        layer = maps[key.rpartition(".")[0]]
        placed = layer.place(value, state[key])
        assert torch.equal(layer.narrow(placed), value)
        state[key] = placed
    wide.load_state_dict(state)


def assert_continues(narrow: nn.Module, wide: nn.Module, example: Tensor) -> None:
    grow(narrow, wide, trace(narrow, wide, example))
    with torch.no_grad():
        before, after = narrow(example), wide(example)
    assert before.abs().max() > 1e-6  # something arrives at the output at all
    torch.testing.assert_close(after, before, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_wide_network_computes_what_the_narrow_one_does(name: str) -> None:
    narrow, wide = (scrambled(NETWORKS[name](width)) for width in (1.0, 1.7))
    assert_continues(narrow, wide, example_of(name))


@pytest.mark.parametrize("name", NETWORKS)
def test_two_widenings_compose(name: str) -> None:
    narrow, middle, wide = (scrambled(NETWORKS[name](width)) for width in (1.0, 1.5, 2.6))
    example = example_of(name)
    first, second = trace(narrow, middle, example), trace(middle, wide, example)
    both = {layer: maps.then(second[layer]) for layer, maps in first.items()}
    grow(narrow, middle, first)
    grow(middle, wide, second)
    with torch.no_grad():
        torch.testing.assert_close(wide(example), narrow(example), rtol=1e-9, atol=1e-9)
    for key, value in narrow.state_dict().items():
        assert torch.equal(both[key.rpartition(".")[0]].narrow(wide.state_dict()[key]), value)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_width_moves_nothing(name: str) -> None:
    narrow, wide = (NETWORKS[name](1.0).double() for _ in range(2))
    for layer, maps in trace(narrow, wide, example_of(name)).items():
        weight = getattr(narrow.get_submodule(layer), "weight", None)
        if weight is not None:
            assert torch.equal(maps.place(weight, torch.zeros_like(weight)), weight)


@st.composite
def plans(draw: st.DrawFn) -> list[tuple[str, int, int, int, float]]:
    """Networks as data: per layer its kind, two earlier tensors, channels and growth."""
    kinds = ("conv", "cat", "residual", "gate", "depthwise", "shuffle", "grouped")
    count = draw(st.integers(2, 7))
    return [
        (
            draw(st.sampled_from(kinds)),
            draw(st.integers(0, i)),
            draw(st.integers(0, i)),
            draw(st.integers(1, 4)),
            draw(st.sampled_from([1.0, 1.3, 2.0, 3.0])),
        )
        for i in range(count)
    ]


def planned(plan: list[tuple[str, int, int, int, float]], wide: bool) -> nn.Module:
    """The network of a plan; each step makes one more tensor, and the head sees them all."""
    sizes, layers = [3], {}
    for i, (kind, one, two, channels, factor) in enumerate(plan):
        a, b = sizes[one], sizes[two]
        count = scaled(channels, factor if wide else 1.0)
        if kind == "cat":
            size = a + b
        elif kind in ("residual", "gate"):
            size, layers[f"l{i}"] = a, nn.Conv2d(b, a, 1)
        elif kind == "depthwise":
            size, layers[f"l{i}"] = 2 * a, nn.Conv2d(a, 2 * a, 3, padding=1, groups=a)
        elif kind == "shuffle":
            size = 3 * a
        elif kind == "grouped":
            size, layers[f"l{i}"] = 2 * count, nn.Conv2d(2 * a, 2 * count, 1, groups=2)
        else:
            size, layers[f"l{i}"] = count, nn.Sequential(nn.Conv2d(a, count, 1), nn.PReLU(count))
        sizes.append(size)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        made = [x]
        for i, (kind, one, two, _, _) in enumerate(plan):
            a, b = made[one], made[two]
            layer = getattr(net, f"l{i}", None)
            if kind == "cat":
                x = torch.cat([a, b], 1)
            elif kind == "residual":
                x = a + layer(b)
            elif kind == "gate":
                x = a * torch.sigmoid(layer(b.mean((2, 3), keepdim=True)))
            elif kind == "shuffle":
                x = torch.stack([a, a.relu(), -a], dim=2).flatten(1, 2)
            elif kind == "grouped":
                x = layer(torch.cat([a, -a], 1))
            else:
                x = layer(a)
            made.append(x)
        return net.head(torch.cat([tensor.flatten(1) for tensor in made], 1))

    return Toy(run, head=nn.Linear(4 * sum(sizes), 3), **layers)


@given(plans())
@settings(max_examples=60)
def test_any_network_of_these_layers_continues(
    plan: list[tuple[str, int, int, int, float]],
) -> None:
    narrow, wide = (scrambled(planned(plan, grown)) for grown in (False, True))
    assert_continues(narrow, wide, torch.randn(1, 3, 2, 2, dtype=torch.float64))


def test_inception_resnet_widens_uniformly_and_per_layer() -> None:
    example = torch.randn(1, 3, 80, 80, dtype=torch.float64)
    narrow = scrambled(InceptionResnetV1(0.1, embedding=16))
    per_layer = {"*": 0.1, "mixed_6a.branch0": 0.2, "repeat_2.3.branch1.1": 0.15, "conv2d_4b": 0.14}
    for width in (0.15, per_layer):
        assert_continues(narrow, scrambled(InceptionResnetV1(width, embedding=16)), example)


def test_meta_networks_are_traced_without_values() -> None:
    with torch.device("meta"):
        narrow, wide = concatenation(1.0), concatenation(1.5)
    maps = trace(narrow, wide, torch.zeros(1, 3, 8, 8))
    assert maps["last.0"].inputs is not None
    assert maps["last.0"].inputs.tolist() == [0, 1, 2, 3, 6, 7, 8, 9, 10]
    assert maps["last.0"].outputs.tolist() == [0, 1, 2, 3]


def test_tracing_leaves_networks_as_they_were() -> None:
    narrow, wide = layer_called_twice(1.0), layer_called_twice(1.5)
    narrow.train()
    before = {key: value.clone() for key, value in narrow.state_dict().items()}
    attributes, generator = set(vars(narrow)), torch.get_rng_state()
    trace(narrow, wide, torch.randn(2, 3, 8, 8, generator=torch.Generator()))
    assert all(torch.equal(narrow.state_dict()[key], value) for key, value in before.items())
    assert narrow.training
    assert set(vars(narrow)) == attributes
    assert torch.equal(torch.get_rng_state(), generator)


def test_new_outputs_keep_their_values_and_old_ones_hear_no_new_inputs() -> None:
    maps = ChannelMaps(torch.tensor([0, 2]), torch.tensor([1]))
    placed = maps.place(torch.tensor([[5.0], [6.0]]), torch.full((3, 2), 9.0))
    assert placed.tolist() == [[0, 5], [9, 9], [0, 6]]


def test_a_tensor_of_another_layer_is_refused() -> None:
    maps = ChannelMaps(torch.tensor([0, 2]), torch.tensor([1]))
    with pytest.raises(PackingError, match=r"shape \[1, 1\].*\[2, 1\] channels"):
        maps.place(torch.zeros(1, 1), torch.zeros(3, 2))


class Masked(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, scaled(4, width), 1), head(scaled(4, width))

    def forward(self, x: Tensor, mask: Tensor | None = None, scale: float = 2.0) -> Tensor:
        x = self.conv(x) * scale
        return self.head(x if mask is None else x * mask)


def test_optional_arguments_keep_their_defaults() -> None:
    narrow, wide = scrambled(Masked(1.0)), scrambled(Masked(1.5))
    assert_continues(narrow, wide, example_of("chain"))


class Choosing(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, scaled(4, width), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x) if x.sum() > 0 else x


class Standardised(nn.Conv2d):
    """Computes something else than its class, with statistics over all of its inputs."""

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, self.weight - self.weight.mean((1, 2, 3), True), None)


class Unused(nn.Module):
    def __init__(self, width: float) -> None:
        super().__init__()
        self.used, self.spare = nn.Conv2d(3, 4, 1), nn.Conv2d(3, scaled(4, width), 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.used(x)


def between(operation: Callable[[Tensor], Tensor]) -> Builder:
    """Two convolutions with an operation on channels that grow between them."""

    def build(width: float) -> nn.Module:
        a = 2 * scaled(2, width)
        return Toy(
            lambda net, x: net.head(operation(net.conv(x))), conv=nn.Conv2d(3, a, 1), head=head(a)
        )

    return build


def normed(norm: Callable[[int], nn.Module]) -> Builder:
    def build(width: float) -> nn.Module:
        a = 2 * scaled(2, width)
        return Toy(
            lambda net, x: net.head(net.norm(net.conv(x))),
            conv=nn.Conv2d(3, a, 1),
            norm=norm(a),
            head=head(a),
        )

    return build


def deeper(width: float) -> nn.Module:
    return nn.Sequential(*(nn.Conv2d(3, 3, 1) for _ in range(scaled(1, width))))


def contradicting(width: float) -> nn.Module:
    a = scaled(2, width)
    return Toy(
        lambda net, x: net.head(
            torch.cat([net.few(x), net.many(x)], 1) + torch.cat([net.many(x), net.few(x)], 1)
        ),
        few=nn.Conv2d(3, 2, 1),
        many=nn.Conv2d(3, 3 * a, 1),
        head=head(3 * a + 2),
    )


def group_across_a_concatenation(width: float) -> nn.Module:
    a = 1 + scaled(2, width)
    return Toy(
        lambda net, x: net.head(net.norm(torch.cat([net.conv(x), x], 1))),
        conv=nn.Conv2d(3, a, 1),
        norm=nn.GroupNorm((a + 3) // 2, a + 3),
        head=head(a + 3),
    )


REFUSED: dict[str, tuple[Builder, str]] = {
    "an output that grows": (
        lambda width: nn.Sequential(nn.Conv2d(3, scaled(4, width), 1)),
        "output grows from 4 to 8.*builder must keep the size",
    ),
    "a group norm over more": (
        normed(lambda a: nn.GroupNorm(2, a)),
        "layer 'norm': its groups grow from 2 channels to 4.*num_groups",
    ),
    "a group norm over a seam": (
        group_across_a_concatenation,
        "layer 'norm': 3->5 channels after 0 do not form blocks of 2",
    ),
    "a layer norm over more": (
        normed(lambda a: nn.LayerNorm([a, 8, 8])),
        "layer 'norm': it takes its statistics over an axis that grows from 4 to 8",
    ),
    "a softmax over more": (
        between(lambda x: x.softmax(1)),
        r"softmax\(\) \(node 'softmax'\): it mixes the values along an axis that grows",
    ),
    "a mean over more": (between(lambda x: x - x.mean(1, True)), r"mean\(\) .*computes one value"),
    "a factor that follows the width": (
        between(lambda x: x / x.shape[1]),
        r"truediv\(\) .*argument follows the width",
    ),
    "an operation without a rule": (
        between(lambda x: functional.local_response_norm(x, 2)),
        r"local_response_norm\(\) \(node 'local_response_norm'\).*cannot be followed",
    ),
    "every other channel": (
        between(lambda x: torch.cat([x[:, ::2], x[:, 1::2]], 1)),
        r"getitem\(\) .*every so many channels",
    ),
    "another number of layers": (deeper, "'output'.*is layer '1' in the wide one"),
    "another setting": (
        lambda width: nn.Sequential(nn.Conv2d(3, 3, 1, stride=round(width))),
        r"layer '0' has stride \(1, 1\) and \(2, 2\)",
    ),
    "control flow": (Choosing, "Choosing cannot be traced by torch.fx .*control flow"),
    "a layer that is not called": (Unused, "layer 'spare' grows.*does not call it"),
    "a constant that follows the width": (
        lambda width: Toy(lambda net, x: net.conv(x) * torch.full((1,), width), conv=head(3)),
        "attribute '_tensor_constant0': this constant has other values",
    ),
    "a sum that contradicts itself": (
        contradicting,
        r"add\(\) \(node 'add'\): where one input has 2 neighbouring channels, another has 0->6",
    ),
    "a convolution of its own kind": (
        lambda width: nn.Sequential(Standardised(3, scaled(4, width), 1), head(scaled(4, width))),
        "attribute '0.weight': its shape follows the width",
    ),
    "groups in both ways": (
        lambda width: nn.Sequential(
            nn.Conv2d(3, scaled(8, width), 1),
            nn.Conv2d(scaled(8, width), 8, 1, groups=scaled(1, width) ** 2),
            head(8),
        ),
        "layer '1': its 1 groups of 8 inputs and 8 outputs become 4 of 4 and 2",
    ),
    "a layer that shrinks": (
        lambda width: nn.Sequential(
            nn.Conv2d(3, scaled(4, 1 / width), 1), head(scaled(4, 1 / width))
        ),
        "layer '0': 4 channels would have to continue in 2",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_preserved_is_refused_with_its_name_and_a_mend(case: str) -> None:
    build, message = REFUSED[case]
    with pytest.raises(PackingError, match=message) as caught:
        trace(build(1.0), build(2.0), torch.zeros(2, 3, 8, 8))
    assert "\n" not in str(caught.value)
    assert ";" in str(caught.value)


def test_an_example_that_does_not_fit_is_named() -> None:
    with pytest.raises(PackingError, match=r"example of shape \[1, 4, 8, 8\]"):
        trace(chain(1.0), chain(1.5), torch.zeros(1, 4, 8, 8))
