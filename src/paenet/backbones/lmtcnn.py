"""LMTCNN-2-1: Levi & Hassner's network made light for phones, for age and gender at once.

Source: Lee et al. (2018), "Joint Estimation of Age and Gender from Unconstrained Face Images using
Lightweight Multi-task CNN for Mobile Applications", with the layers of ivclab/agegenderLMTCNN
(`dp_multitask_2_1` in `model.py`).
"""

from torch import Tensor, nn

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.width import Channels, Width, count_of


class Separable(nn.Module):
    """A convolution of each channel, then one across channels; ReLU and batch norm after both."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride, padding=1, groups=inputs)
        self.norm1 = nn.BatchNorm2d(inputs, eps=0.001)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.norm2 = nn.BatchNorm2d(outputs, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(self.relu(self.depthwise(x)))
        return self.norm2(self.relu(self.pointwise(x)))


class LMTCNN(nn.Module):
    """A convolution, two depthwise separable ones and two hidden layers of 512: 7.61 M parameters.

    The authors train both heads, age and gender, on this trunk at once. Here the heads are the
    tasks': two tasks of a pack share it by `method: features`, or each owns weights in it.

    Local response norm mixes neighbouring channels, so that new channels would change what old
    ones compute: the convolution before it, `conv1`, has one width.

    Args:
        width: factor of the channels of `convdp1`, `convdp2` and `full1`, or a factor for each.
            The output keeps its size.
        features: size of the output (`full2`).
        dropout: share of the hidden units dropped in training, after both hidden layers.

    Shape:
        `(N, 3, H, W)` with H and W at least 47 (227 is what it is meant for; other sizes are
        averaged to the same 6 × 6 map) and values `(pixel - 127.5) / 128` to `(N, features)`.
    """

    def __init__(self, width: Width = 1.0, features: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        features = count_of("features", features)
        channels = Channels(width)
        first, last = channels("convdp1", 512), channels("convdp2", 384)
        hidden = channels("full1", 512)
        channels.finish()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=4)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2)
        # TensorFlow counts neighbours to each side and adds up; torch counts all and averages.
        self.norm = nn.LocalResponseNorm(11, alpha=11e-4, beta=0.75)
        self.convdp1 = Separable(96, first, stride=1)
        self.convdp2 = Separable(first, last, stride=2)
        self.map = nn.AdaptiveAvgPool2d(6)  # nothing at 227 pixels, where the map has that size
        self.flatten = nn.Flatten()
        self.full1 = nn.Linear(last * 6 * 6, hidden)
        self.full2 = nn.Linear(hidden, features)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.pool(self.relu(self.conv1(x))))
        x = self.map(self.pool(self.convdp2(self.convdp1(x))))
        x = self.dropout(self.relu(self.full1(self.flatten(x))))
        return self.dropout(self.relu(self.full2(x)))


INFO = BackboneInfo("lmtcnn", LMTCNN, size=227, features=512)
