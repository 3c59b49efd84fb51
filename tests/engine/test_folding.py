"""Norms are folded where that changes nothing but rounding, and nowhere else."""

import pytest
import torch
from torch import Tensor, nn

from paenet.engine.folding import fold_norms
from paenet.packing import segments


class Twice(nn.Module):
    """One convolution that two norms follow, in turn."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1)
        self.a, self.b = nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.conv(self.a(self.conv(x))))


class Used(nn.Module):
    """A convolution whose output is used beside its norm's."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y + self.norm(y)


IMAGES, ROWS, SEQUENCE = (2, 3, 8, 8), (4, 3), (2, 3, 5)
CASES = {
    "convolution": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)), IMAGES, 1),
    "one-dimension": (nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4)), SEQUENCE, 1),
    "linear": (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), ROWS, 1),
    "linear-without-scale": (
        nn.Sequential(nn.Linear(3, 4, bias=False), nn.BatchNorm1d(4, affine=False)),
        ROWS,
        1,
    ),
    "linear-over-a-sequence": (nn.Sequential(nn.Linear(5, 5), nn.BatchNorm1d(3)), SEQUENCE, 0),
    "called-twice": (Twice(), IMAGES, 0),
    "used-beside": (Used(), IMAGES, 0),
    "no-statistics": (
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        IMAGES,
        0,
    ),
    "group-norm": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), IMAGES, 0),
}


@pytest.mark.parametrize(("network", "shape", "folded"), CASES.values(), ids=CASES)
def test_what_is_computed_stays_the_same(
    network: nn.Module, shape: tuple[int, ...], folded: int
) -> None:
    draw = torch.Generator().manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean = torch.randn(len(module.running_mean), generator=draw)
    network.eval()
    x = torch.randn(shape, generator=draw)
    expected = network(x)
    (graph,) = segments(network, x[:1], [])
    assert fold_norms(graph.eval()) == folded
    torch.testing.assert_close(graph(x), expected, rtol=1e-5, atol=1e-5)
