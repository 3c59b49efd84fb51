"""The network of Levi & Hassner for age and gender, as their Caffe definitions have it.

Source: Levi & Hassner (2015), "Age and Gender Classification using Convolutional Neural Networks",
figure 2, with the sizes and initial values of GilLevi/AgeGenderDeepLearning
(`age_net_definitions/`, `gender_net_definitions/`).
"""

from torch import Tensor, nn

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.width import Channels, Width, count_of


class LeviHassner(nn.Module):
    """Three convolutions and two hidden layers of 512: 11.41 M parameters; the head is the task's.

    Local response norm mixes neighbouring channels, so that new channels would change what old
    ones compute: the convolutions before it, `conv1` and `conv2`, have one width. As in Caffe,
    poolings count a window that is cut off at the border.

    Args:
        width: factor of the channels of `conv3` and `fc6`, or a factor for each. The output keeps
            its size.
        features: size of the output (`fc7`).
        dropout: share of the hidden units dropped in training, after both hidden layers.

    Shape:
        `(N, 3, H, W)` with H and W at least 35 (227 is what it is meant for; other sizes are
        averaged to the same 7 × 7 map) and values `(pixel - 127.5) / 128` to `(N, features)`.
        The authors subtract the mean image of the training data, and divide by nothing.
    """

    def __init__(self, width: Width = 1.0, features: int = 512, dropout: float = 0.5) -> None:
        super().__init__()
        features = count_of("features", features)
        channels = Channels(width)
        last, hidden = channels("conv3", 384), channels("fc6", 512)
        channels.finish()
        self.conv1 = nn.Conv2d(3, 96, 7, stride=4)
        self.conv2 = nn.Conv2d(96, 256, 5, padding=2)
        self.conv3 = nn.Conv2d(256, last, 3, padding=1)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.norm = nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75)
        self.map = nn.AdaptiveAvgPool2d(7)  # nothing at 227 pixels, where the map has that size
        self.flatten = nn.Flatten()
        self.fc6 = nn.Linear(last * 7 * 7, hidden)
        self.fc7 = nn.Linear(hidden, features)
        self.dropout = nn.Dropout(dropout)
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.pool(self.relu(self.conv1(x))))
        x = self.norm(self.pool(self.relu(self.conv2(x))))
        x = self.map(self.pool(self.relu(self.conv3(x))))
        x = self.dropout(self.relu(self.fc6(self.flatten(x))))
        return self.dropout(self.relu(self.fc7(x)))

    def _initialise(self) -> None:
        for layer, deviation, bias in (
            (self.conv1, 0.01, 0.0),
            (self.conv2, 0.01, 1.0),
            (self.conv3, 0.01, 0.0),
            (self.fc6, 0.005, 1.0),
            (self.fc7, 0.005, 1.0),
        ):
            nn.init.normal_(layer.weight, std=deviation)
            nn.init.constant_(layer.get_parameter("bias"), bias)


INFO = BackboneInfo("levi-hassner", LeviHassner, size=227, features=512)
