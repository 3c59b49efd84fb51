"""The three networks of MTCNN, in facenet-pytorch's layout, and their trained weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from paenet import backbones

WEIGHTS = Path(__file__).parent / "weights" / "mtcnn.safetensors"
"""Trained weights of all three; weights/ATTRIBUTION.md says where they come from."""


class ProposalNet(nn.Module):
    """P-Net: looks at every 12x12 window of an image, two pixels apart.

    Zhang et al. (2016), figure 2, as all three here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.pool1 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The chance of a face and the box's correction in every window.

        Args:
            images: `(N, 3, height, width)`, both at least 12, pixels scaled to -1…1.

        Returns:
            `(N, rows, columns)` and `(N, 4, rows, columns)`, in widths and heights of the window.
        """
        x = self.pool1(self.prelu1(self.conv1(images)))
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return self.conv4_1(x).softmax(1)[:, 1], self.conv4_2(x)


class RefinementNet(nn.Module):
    """R-Net: is a 24x24 window a face?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 28, 3), nn.PReLU(28)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(28, 48, 3), nn.PReLU(48)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(48, 64, 2), nn.PReLU(64)
        self.dense4, self.prelu4 = nn.Linear(576, 128), nn.PReLU(128)
        self.dense5_1, self.dense5_2 = nn.Linear(128, 2), nn.Linear(128, 4)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """The chance of a face and the box's correction.

        Args:
            windows: `(N, 3, 24, 24)`, pixels scaled to -1…1.

        Returns:
            `(N,)` and `(N, 4)`, in widths and heights of the window.
        """
        x = self.pool1(self.prelu1(self.conv1(windows)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = _columns_first(self.prelu3(self.conv3(x)))
        x = self.prelu4(self.dense4(x))
        return self.dense5_1(x).softmax(1)[:, 1], self.dense5_2(x)


class OutputNet(nn.Module):
    """O-Net: is a 48x48 window a face, and where are its eyes, nose and mouth?"""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 32, 3), nn.PReLU(32)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv2, self.prelu2 = nn.Conv2d(32, 64, 3), nn.PReLU(64)
        self.pool2 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.conv3, self.prelu3 = nn.Conv2d(64, 64, 3), nn.PReLU(64)
        self.pool3 = nn.MaxPool2d(2, 2, ceil_mode=True)
        self.conv4, self.prelu4 = nn.Conv2d(64, 128, 2), nn.PReLU(128)
        self.dense5, self.prelu5 = nn.Linear(1152, 256), nn.PReLU(256)
        self.dense6_1, self.dense6_2 = nn.Linear(256, 2), nn.Linear(256, 4)
        self.dense6_3 = nn.Linear(256, 10)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The chance of a face, the box's correction and five landmarks.

        Args:
            windows: `(N, 3, 48, 48)`, pixels scaled to -1…1.

        Returns:
            `(N,)`, `(N, 4)` and `(N, 5, 2)`: left eye, right eye, nose, left and right corner of
            the mouth as x and y; corrections and landmarks in widths and heights of the window.
        """
        x = self.pool1(self.prelu1(self.conv1(windows)))
        x = self.pool2(self.prelu2(self.conv2(x)))
        x = self.pool3(self.prelu3(self.conv3(x)))
        x = _columns_first(self.prelu4(self.conv4(x)))
        x = self.prelu5(self.dense5(x))
        landmarks = self.dense6_3(x).unflatten(1, (2, 5)).transpose(1, 2)
        return self.dense6_1(x).softmax(1)[:, 1], self.dense6_2(x), landmarks


class Mtcnn(nn.Module):
    """The three together, as the weights file has them."""

    def __init__(self) -> None:
        super().__init__()
        self.pnet, self.rnet, self.onet = ProposalNet(), RefinementNet(), OutputNet()


def load_networks(device: str | torch.device = "cpu") -> Mtcnn:
    """The networks with their trained weights, for inference.

    Raises:
        WeightsError: where the shipped file is damaged.
    """
    networks = Mtcnn()
    backbones.load_weights(WEIGHTS, networks)
    return networks.eval().requires_grad_(False).to(device)


def _columns_first(maps: Tensor) -> Tensor:
    """`(N, C, H, W)` flattened with x outermost: the weights come from Matlab, by columns."""
    return maps.permute(0, 3, 2, 1).flatten(1)
