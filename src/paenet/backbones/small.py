"""A residual network for 64-pixel faces that learns in minutes on two CPU cores."""

from torch import Tensor, nn

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.width import Channels, Width, count_of

STAGES = (32, 64, 128)
"""Channels of the residual stages at width 1; each halves the resolution."""


class Small(nn.Module):
    """A stem, three residual blocks and a linear embedding: 0.31 M parameters.

    Resolution falls at once (the stem and every block stride by two), since on a CPU that counts
    more than the number of weights. PReLU as in face networks: every task has its own slopes.

    Args:
        width: factor of the channels, or a factor per layer: `stem`, `stage1` to `stage3` (the
            stream that the blocks add to) and `stage1.inner` to `stage3.inner`.
        features: size of the output, the same at any width.

    Shape:
        `(N, 3, H, W)` with H and W at least 16 (64 is what it is meant for) and values
        `(pixel - 127.5) / 128` to `(N, features)`.
    """

    def __init__(self, width: Width = 1.0, features: int = 128) -> None:
        super().__init__()
        features = count_of("features", features)
        channels = Channels(width)
        stream = channels("stem", 16)
        self.stem = nn.Sequential(
            nn.Conv2d(3, stream, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(stream),
            nn.PReLU(stream),
        )
        for i, count in enumerate(STAGES, 1):
            inner = channels(f"stage{i}.inner", count)
            outputs = channels(f"stage{i}", count)
            self.add_module(f"stage{i}", Block(stream, inner, outputs))
            stream = outputs
        channels.finish()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.linear = nn.Linear(stream, features, bias=False)
        self.norm = nn.BatchNorm1d(features)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for i in range(1, len(STAGES) + 1):
            x = getattr(self, f"stage{i}")(x)
        return self.norm(self.linear(self.flatten(self.pool(x))))


class Block(nn.Module):
    """Two convolutions beside a projection, summed: halves the resolution."""

    def __init__(self, inputs: int, inner: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, inner, 3, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.PReLU(inner)
        self.conv2 = nn.Conv2d(inner, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=2, bias=False)
        self.relu2 = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.relu1(self.norm1(self.conv1(x)))
        return self.relu2(self.norm2(self.conv2(inner)) + self.shortcut(x))


INFO = BackboneInfo("small", Small, size=64, features=128)
