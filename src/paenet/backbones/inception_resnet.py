"""Inception-ResNet-v1 as FaceNet has it, in facenet-pytorch's key layout.

Source: Szegedy et al. (2017), "Inception-v4, Inception-ResNet and the Impact of Residual
Connections on Learning", with the channel counts of davidsandberg/facenet.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.backbones.entry import BackboneInfo
from paenet.backbones.width import Channels, Width, count_of

Size = int | tuple[int, int]


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Size, stride: int = 1, padding: Size = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.bn(self.conv(x)))


class Residual(nn.Module):
    """Parallel branches, concatenated, projected to the block's own width and added to its input.

    Args:
        scale: factor of the projected branches before the sum.
        relu: whether a ReLU follows the sum (the last block has none).
    """

    def __init__(
        self, channels_in: int, branches: list[nn.Module], scale: float, relu: bool = True
    ):
        super().__init__()
        self.scale = scale
        for i, branch in enumerate(branches):
            self.add_module(f"branch{i}", branch)
        self.branches = len(branches)
        joined = sum(_outputs(branch) for branch in branches)
        self.conv2d = nn.Conv2d(joined, channels_in, kernel_size=1)
        self.relu = nn.ReLU() if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat([getattr(self, f"branch{i}")(x) for i in range(self.branches)], 1)
        return self.relu(x + self.conv2d(joined) * self.scale)


class Reduction(nn.Module):
    """Strided branches and a max pool, concatenated: halves the resolution."""

    def __init__(self, branches: list[nn.Module]) -> None:
        super().__init__()
        for i, branch in enumerate(branches):
            self.add_module(f"branch{i}", branch)
        self.branches = len(branches)
        self.add_module(f"branch{self.branches}", nn.MaxPool2d(3, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([getattr(self, f"branch{i}")(x) for i in range(self.branches + 1)], 1)


class InceptionResnetV1(nn.Module):
    """FaceNet's backbone: images to embeddings (not normalised to unit length).

    Args:
        width: factor of every inner layer's channels, or a factor per layer (`Width`). The
            embedding keeps its size, so that a head fits at any width.
        embedding: size of the embedding.
        dropout: share of the pooled features dropped in training.

    Shape:
        `(N, 3, H, W)` with H and W at least 75 (160 is what the weights were trained on) and
        values `(pixel - 127.5) / 128` to `(N, embedding)`.
    """

    def __init__(self, width: Width = 1.0, embedding: int = 512, dropout: float = 0.0) -> None:
        super().__init__()
        embedding = count_of("embedding", embedding)
        build = _Builder(width)
        self.conv2d_1a = build("conv2d_1a", 3, 32, 3, stride=2)
        self.conv2d_2a = build("conv2d_2a", self.conv2d_1a, 32, 3)
        self.conv2d_2b = build("conv2d_2b", self.conv2d_2a, 64, 3, padding=1)
        self.maxpool_3a = nn.MaxPool2d(3, stride=2)
        self.conv2d_3b = build("conv2d_3b", self.conv2d_2b, 80, 1)
        self.conv2d_4a = build("conv2d_4a", self.conv2d_3b, 192, 3)
        self.conv2d_4b = build("conv2d_4b", self.conv2d_4a, 256, 3, stride=2)
        stream = _outputs(self.conv2d_4b)
        self.repeat_1 = nn.Sequential(*(_block35(build, f"repeat_1.{i}", stream) for i in range(5)))
        self.mixed_6a = _mixed_6a(build, stream)
        stream += sum(_outputs(getattr(self.mixed_6a, f"branch{i}")) for i in range(2))
        self.repeat_2 = nn.Sequential(
            *(_block17(build, f"repeat_2.{i}", stream) for i in range(10))
        )
        self.mixed_7a = _mixed_7a(build, stream)
        stream += sum(_outputs(getattr(self.mixed_7a, f"branch{i}")) for i in range(3))
        self.repeat_3 = nn.Sequential(
            *(_block8(build, f"repeat_3.{i}", stream, scale=0.20) for i in range(5))
        )
        self.block8 = _block8(build, "block8", stream, scale=1.0, relu=False)
        build.channels.finish()
        self.avgpool_1a = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.dropout = nn.Dropout(dropout)
        self.last_linear = nn.Linear(stream, embedding, bias=False)
        self.last_bn = nn.BatchNorm1d(embedding, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(x)))
        x = self.conv2d_3b(self.maxpool_3a(x))
        x = self.conv2d_4b(self.conv2d_4a(x))
        x = self.mixed_6a(self.repeat_1(x))
        x = self.mixed_7a(self.repeat_2(x))
        x = self.block8(self.repeat_3(x))
        x = self.dropout(self.flatten(self.avgpool_1a(x)))
        return self.last_bn(self.last_linear(x))

    @staticmethod
    def embed(features: Tensor) -> Tensor:
        """Unit-length embeddings, as faces are compared: `(N, D)` to `(N, D)`."""
        return functional.normalize(features, dim=1)


class _Builder:
    """Makes convolutions whose output channels follow the width."""

    def __init__(self, width: Width) -> None:
        self.channels = Channels(width)

    def __call__(
        self,
        name: str,
        inputs: int | nn.Module,
        outputs: int,
        kernel: Size,
        stride: int = 1,
        padding: Size = 0,
    ) -> ConvNorm:
        count = inputs if isinstance(inputs, int) else _outputs(inputs)
        return ConvNorm(count, self.channels(name, outputs), kernel, stride, padding)

    def chain(self, name: str, inputs: int, *layers: dict[str, object]) -> nn.Sequential:
        """Convolutions one after another; each dictionary holds the arguments of one."""
        modules: list[nn.Module] = []
        before: int | nn.Module = inputs
        for i, layer in enumerate(layers):
            modules.append(self(f"{name}.{i}", before, **layer))  # type: ignore[arg-type]
            before = modules[-1]
        return nn.Sequential(*modules)


def _conv(outputs: int, kernel: Size, stride: int = 1, padding: Size = 0) -> dict[str, object]:
    return {"outputs": outputs, "kernel": kernel, "stride": stride, "padding": padding}


def _outputs(module: nn.Module) -> int:
    """Output channels of a branch: those of its last convolution."""
    return [m.out_channels for m in module.modules() if isinstance(m, nn.Conv2d)][-1]


def _block35(build: _Builder, name: str, stream: int) -> Residual:
    branches = [
        build(f"{name}.branch0", stream, 32, 1),
        build.chain(f"{name}.branch1", stream, _conv(32, 1), _conv(32, 3, padding=1)),
        build.chain(
            f"{name}.branch2",
            stream,
            _conv(32, 1),
            _conv(32, 3, padding=1),
            _conv(32, 3, padding=1),
        ),
    ]
    return Residual(stream, branches, scale=0.17)


def _block17(build: _Builder, name: str, stream: int) -> Residual:
    branches = [
        build(f"{name}.branch0", stream, 128, 1),
        build.chain(
            f"{name}.branch1",
            stream,
            _conv(128, 1),
            _conv(128, (1, 7), padding=(0, 3)),
            _conv(128, (7, 1), padding=(3, 0)),
        ),
    ]
    return Residual(stream, branches, scale=0.10)


def _block8(build: _Builder, name: str, stream: int, scale: float, relu: bool = True) -> Residual:
    branches = [
        build(f"{name}.branch0", stream, 192, 1),
        build.chain(
            f"{name}.branch1",
            stream,
            _conv(192, 1),
            _conv(192, (1, 3), padding=(0, 1)),
            _conv(192, (3, 1), padding=(1, 0)),
        ),
    ]
    return Residual(stream, branches, scale, relu)


def _mixed_6a(build: _Builder, stream: int) -> Reduction:
    return Reduction(
        [
            build("mixed_6a.branch0", stream, 384, 3, stride=2),
            build.chain(
                "mixed_6a.branch1",
                stream,
                _conv(192, 1),
                _conv(192, 3, padding=1),
                _conv(256, 3, stride=2),
            ),
        ]
    )


def _mixed_7a(build: _Builder, stream: int) -> Reduction:
    return Reduction(
        [
            build.chain("mixed_7a.branch0", stream, _conv(256, 1), _conv(384, 3, stride=2)),
            build.chain("mixed_7a.branch1", stream, _conv(256, 1), _conv(256, 3, stride=2)),
            build.chain(
                "mixed_7a.branch2",
                stream,
                _conv(256, 1),
                _conv(256, 3, padding=1),
                _conv(256, 3, stride=2),
            ),
        ]
    )


INFO = BackboneInfo(
    "inception-resnet-v1",
    InceptionResnetV1,
    size=160,
    features=512,
    layout="facenet-pytorch's InceptionResnetV1, without the classifier",
)
