"""Convolutions are prepacked, and what follows them fused in, where that is what was computed."""

import ctypes
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.engine.folding import fold_norms
from paenet.engine.prepacking import PrepackedConv2d, _layout, can_prepack, prepack
from paenet.packing import segments

pytestmark = pytest.mark.skipif(
    not can_prepack(torch.device("cpu")), reason="this torch has no oneDNN"
)


def conv(inputs: int = 4, outputs: int = 4, size: int = 3, **how: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=how.pop("padding", size // 2), **how)


class Residual(nn.Module):
    """`relu(x + conv(x) * factor)`, written in one of several ways."""

    def __init__(self, way: str) -> None:
        super().__init__()
        self.conv, self.narrow, self.way = conv(), conv(4, 1), way

    def forward(self, x: Tensor) -> Tensor:
        if self.way == "operators":
            return functional.relu(x + self.conv(x) * 0.2)
        if self.way == "functions":
            return torch.relu(torch.add(torch.mul(0.2, self.conv(x)), x))
        if self.way == "methods":
            return self.conv(x).mul(0.2).add(x).relu()
        if self.way == "no-relu":
            return x + self.conv(x)
        if self.way == "used-beside":
            y = self.conv(x)
            return functional.relu(y) + y
        if self.way == "with-alpha":
            return torch.add(self.conv(x), x, alpha=3)
        if self.way == "by-a-tensor":
            return self.conv(x) * x
        if self.way == "itself":
            y = self.conv(x)
            return y + y
        if self.way == "in-place":
            y = self.conv(x)
            y += x
            return y
        if self.way == "into-the-summand":
            x = x * 1
            x += self.conv(x)
            x *= 2
            return functional.relu(x)
        if self.way == "scaled-in-place":
            y = self.conv(x)
            y *= 0.2
            y += x
            return functional.relu(y, inplace=True)
        if self.way == "into-two-names":
            x = skip = x * 1
            x += self.conv(x)
            return functional.relu(x) + skip
        if self.way == "into-what-is-viewed":
            x = x * 1
            seen = x.transpose(2, 3)
            x += self.conv(x)
            return functional.relu(x) + seen.mean()
        if self.way == "read-beside":
            return functional.relu(self.conv(x)) + self.conv.weight.mean()
        if self.way == "late-summand":
            return self.conv(x) + functional.gelu(x)
        if self.way == "broadcast":
            return functional.relu(self.narrow(x) + x)
        return functional.relu(self.conv(self.conv(x)))  # called twice


class Disturbed(nn.Module):
    """A sum after a ReLU that works in place on what the first convolution takes."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.act, self.conv = conv(), nn.ReLU(inplace=True), conv()

    def forward(self, x: Tensor) -> Tensor:
        x = x * 1
        y = self.down(x)
        x = self.act(x)
        return self.conv(x) + y


class Viewed(nn.Module):
    """A sum into a norm's output of which there is a view; the norm can be folded away."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm, self.conv = conv(), nn.BatchNorm2d(4), conv()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.first(x))
        seen = x.transpose(2, 3)
        x += self.conv(x)
        return functional.relu(x) + seen.mean()


CASES = {
    "relu": (nn.Sequential(conv(), nn.ReLU()), 1, 1),
    "in-place-relu": (nn.Sequential(conv(), nn.ReLU(inplace=True), conv()), 2, 2),
    "another-activation": (nn.Sequential(conv(), nn.PReLU()), 1, 2),
    "strided": (nn.Sequential(conv(4, 6, stride=2, dilation=2, bias=False)), 1, 1),
    "grouped": (nn.Sequential(conv(groups=2), conv(groups=4), nn.ReLU()), 2, 2),
    "named-padding": (nn.Sequential(conv(padding="same")), 0, 1),
    "circular": (nn.Sequential(conv(padding_mode="circular")), 0, 1),
    "operators": (Residual("operators"), 1, 1),
    "functions": (Residual("functions"), 1, 1),
    "methods": (Residual("methods"), 1, 1),
    "no-relu": (Residual("no-relu"), 1, 1),
    "used-beside": (Residual("used-beside"), 1, 3),
    "with-alpha": (Residual("with-alpha"), 1, 2),
    "by-a-tensor": (Residual("by-a-tensor"), 1, 2),
    "itself": (Residual("itself"), 1, 2),
    "in-place": (Residual("in-place"), 1, 1),
    "into-the-summand": (Residual("into-the-summand"), 1, 4),
    "scaled-in-place": (Residual("scaled-in-place"), 1, 1),
    "into-two-names": (Residual("into-two-names"), 1, 5),
    "into-what-is-viewed": (Residual("into-what-is-viewed"), 1, 7),
    "read-beside": (Residual("read-beside"), 0, 5),
    "late-summand": (Residual("late-summand"), 1, 2),
    "broadcast": (Residual("broadcast"), 1, 3),
    "disturbed": (Disturbed(), 2, 4),
    "called-twice": (Residual("called-twice"), 0, 3),
}


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize(("network", "prepacked", "steps"), CASES.values(), ids=CASES)
def test_what_is_computed_stays_the_same(
    network: nn.Module, prepacked: int, steps: int, count: int
) -> None:
    (graph,) = segments(network.eval(), torch.zeros(1, 4, 9, 9), [])
    images = torch.randn(count, 4, 9, 9).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = network(images)
        assert prepack(graph) == prepacked
        torch.testing.assert_close(graph(images), expected, rtol=1e-5, atol=1e-5)
    assert sum(isinstance(m, PrepackedConv2d) for m in graph.modules()) == prepacked
    ran = [n for n in graph.graph.nodes if n.op not in ("placeholder", "output")]
    assert len(ran) == steps


def test_a_norm_that_is_folded_leaves_its_views_to_what_it_is_folded_into() -> None:
    network = Viewed().eval()
    (graph,) = segments(network, torch.zeros(1, 4, 9, 9), [])
    images = torch.randn(1, 4, 9, 9)
    with torch.inference_mode():
        expected = network(images)
        assert fold_norms(graph) == 1
        assert prepack(graph) == 2
        torch.testing.assert_close(graph(images), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_one_image_and_several_have_layouts_of_their_own(groups: int) -> None:
    layer = conv(groups=groups).eval()
    prepacked = PrepackedConv2d(layer, (1, 4, 9, 9), 0.5, relu=False)
    with torch.inference_mode():
        for count in (1, 3, 1, 2):
            x = torch.randn(count, 4, 9, 9).contiguous(memory_format=torch.channels_last)
            torch.testing.assert_close(prepacked(x), layer(x) * 0.5)


def test_a_layout_that_serves_one_and_several_is_held_once() -> None:
    prepacked = PrepackedConv2d(conv(16, 16).eval(), (1, 16, 9, 9), 1.0, relu=False)
    one, several = (prepacked._laid_out(prepacked._weight.to_dense(), n) for n in (1, 4))
    with torch.inference_mode():
        prepacked(torch.zeros(2, 16, 9, 9))
    alike = _layout(one) == _layout(several)
    assert (prepacked._for_several() is prepacked._weight) == alike
    assert held(prepacked._for_several()) == held(several)


def held(weight: Tensor) -> bytes:
    ops = torch.ops.mkldnn
    return ctypes.string_at(ops.data_ptr(weight), ops._nbytes(weight))


@pytest.mark.skipif(
    not can_prepack(torch.device("cpu"), torch.bfloat16),
    reason="oneDNN has no bfloat16 on this processor",
)
def test_in_bfloat16_it_is_prepacked_too() -> None:
    (graph,) = segments(Residual("operators").bfloat16().eval(), torch.zeros(1, 4, 9, 9), [])
    images = torch.randn(2, 4, 9, 9).bfloat16().contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        expected = graph(images)
        assert prepack(graph) == 1
        torch.testing.assert_close(graph(images), expected, rtol=0.05, atol=0.05)


def test_one_dimension_is_left_alone() -> None:
    (graph,) = segments(nn.Sequential(nn.Conv1d(3, 4, 3)).eval(), torch.zeros(1, 3, 9), [])
    assert prepack(graph) == 0
