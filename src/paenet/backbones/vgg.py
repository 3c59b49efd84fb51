"""VGG16 with batch norm, in torchvision's key layout, with the pooling that small images need.

Source: Simonyan & Zisserman (2015), "Very Deep Convolutional Networks for Large-Scale Image
Recognition", configuration D. With `pool=1` and 32-pixel images it is the network that PackNet,
PAE and CPG are compared on over CIFAR-100 (ivclab/CPG, `models/vgg.py`): five halvings leave one
pixel, and two hidden layers of 4096 follow.
"""

from torch import Tensor, nn

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.width import Channels, Width, count_of

BLOCKS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Channels of the convolutions at width 1; a max pool halves the resolution after each block."""


class VGG16BN(nn.Module):
    """VGG16 with batch norm, up to the second hidden layer: the head is the task's.

    With `pool=7` the layers are torchvision's `vgg16_bn` without `classifier.6`; there the
    classifier's first layer has 103 M weights, with `pool=1` it has 2 M.

    Args:
        width: factor of the channels, or a factor per layer: `conv1_1` to `conv5_3`, as the paper
            calls them, and `fc6`. The output keeps its size.
        features: size of the output (`fc7`).
        pool: side of the map that the convolutions' output is averaged to.
        dropout: share of the hidden units dropped in training, after both hidden layers.

    Shape:
        `(N, 3, H, W)` with H and W at least 32 (with `pool=7` it is meant for 224) and values
        `(pixel - 127.5) / 128` to `(N, features)`.
    """

    def __init__(
        self, width: Width = 1.0, features: int = 4096, pool: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        features, pool = count_of("features", features), count_of("pool", pool)
        channels = Channels(width)
        layers: list[nn.Module] = []
        inputs = 3
        for i, block in enumerate(BLOCKS, 1):
            for j, count in enumerate(block, 1):
                outputs = channels(f"conv{i}_{j}", count)
                layers += [
                    nn.Conv2d(inputs, outputs, 3, padding=1),
                    nn.BatchNorm2d(outputs),
                    nn.ReLU(),
                ]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        hidden = channels("fc6", 4096)
        channels.finish()
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(pool)
        self.flatten = nn.Flatten()
        self.classifier = nn.Sequential(
            nn.Linear(inputs * pool * pool, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, features),
            nn.ReLU(),
            nn.Dropout(dropout),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.flatten(self.avgpool(self.features(x))))


INFO = BackboneInfo(
    "vgg16-bn",
    VGG16BN,
    size=32,
    features=4096,
    layout="torchvision's vgg16_bn, without classifier.6 (with pool=7 the shapes are the same too)",
)
