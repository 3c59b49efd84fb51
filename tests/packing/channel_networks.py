"""Small networks at any width: every way in which channels travel, one network each."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from paenet.backbones.inception_resnet import Residual

Builder = Callable[[float], nn.Module]


class Toy(nn.Module):
    """Layers by name, and a function that runs them."""

    def __init__(self, run: Callable[..., Tensor], **layers: nn.Module) -> None:
        super().__init__()
        self.run = run
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, x: Tensor) -> Tensor:
        return self.run(self, x)


def scaled(count: int, width: float) -> int:
    return max(1, round(count * width))


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def head(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 5))


def chain(width: float) -> nn.Module:
    a, b = scaled(4, width), scaled(6, width)
    return nn.Sequential(conv_norm(3, a), nn.PReLU(a), conv_norm(a, b, stride=2), head(b))


def concatenation(width: float) -> nn.Module:
    a, b = scaled(4, width), scaled(2, width)
    return Toy(
        lambda net, x: net.head(net.last(torch.cat([net.one(x), x, net.two(x)], 1))),
        one=conv_norm(3, a),
        two=conv_norm(3, b),
        last=conv_norm(a + 3 + b, a),
        head=head(a),
    )


def residual_after_concatenation(width: float) -> nn.Module:
    a, b = scaled(4, width), scaled(2, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = net.stem(x)
        x = torch.cat([net.one(x), functional.max_pool2d(x, 3, 1, 1), net.two(x)], 1)
        x = functional.relu(x + 0.2 * net.project(net.inner(x)))
        return net.head(net.norm(net.shortcut(x) + x))

    whole = a + a + b
    return Toy(
        run,
        stem=conv_norm(3, a),
        one=conv_norm(a, a),
        two=conv_norm(a, b),
        inner=conv_norm(whole, b),
        project=nn.Conv2d(b, whole, 1),
        shortcut=nn.Conv2d(whole, whole, 1),
        norm=nn.BatchNorm2d(whole),
        head=head(whole),
    )


def added_into(width: float) -> nn.Module:
    """Sums and products that change the stream, of which the last sum takes another name."""
    a = scaled(4, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = skip = net.stem(x)
        x += net.one(x)
        x *= net.two(x)
        x //= 0.01
        return net.head(x + skip)

    return Toy(run, stem=conv_norm(3, a), one=conv_norm(a, a), two=conv_norm(a, a), head=head(a))


def concatenations_cut_differently(width: float) -> nn.Module:
    """Two sums of concatenations: every cut of one must be a cut of the other."""
    a, b = scaled(2, width), scaled(4, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        left = torch.cat([net.a(x), net.b(x)], 1)
        right = torch.cat([net.c(x), net.d(x)], 1)
        return net.head(torch.cat([left - right, left * net.e(x)], 1))

    return Toy(
        run,
        a=nn.Conv2d(3, a, 1),
        b=nn.Conv2d(3, b + 2, 1),
        c=nn.Conv2d(3, b, 1),
        d=nn.Conv2d(3, a + 2, 1),
        e=nn.Conv2d(3, a + b + 2, 1),
        head=head(2 * (a + b + 2)),
    )


def inception_blocks(width: float) -> nn.Module:
    a, b = scaled(4, width), scaled(6, width)
    whole = a + b
    return Toy(
        lambda net, x: net.head(net.second(net.first(torch.cat([net.one(x), net.two(x)], 1)))),
        one=conv_norm(3, a),
        two=conv_norm(3, b),
        first=Residual(whole, [conv_norm(whole, a, 1), conv_norm(whole, b, 1)], 0.17),
        second=Residual(whole, [conv_norm(whole, b, 1), conv_norm(whole, a)], 1.0, relu=False),
        head=head(whole),
    )


def groups_that_grow(width: float) -> nn.Module:
    a, b = 2 * scaled(3, width), 2 * scaled(4, width)
    return nn.Sequential(
        conv_norm(3, a),
        nn.Conv2d(a, b, 3, groups=2),
        nn.BatchNorm2d(b),
        nn.Conv2d(b, 2 * b, 1, groups=2),
        head(2 * b),
    )


def groups_over_a_concatenation(width: float) -> nn.Module:
    a = 2 * scaled(2, width)
    return Toy(
        lambda net, x: net.head(net.grouped(torch.cat([net.one(x), net.two(x)], 1))),
        one=nn.Conv2d(3, a, 1),
        two=nn.Conv2d(3, a, 1),
        grouped=nn.Conv2d(2 * a, 2 * a, 1, groups=4),
        head=head(2 * a),
    )


def more_groups(width: float) -> nn.Module:
    a = 4 * scaled(2, width)
    return Toy(
        lambda net, x: net.head(net.grouped(torch.cat([net.one(x), net.two(x)], 1))),
        one=nn.Conv2d(3, a, 1),
        two=nn.Conv2d(3, a, 1, bias=False),
        grouped=nn.Conv2d(2 * a, a, 3, groups=a // 2),
        head=head(a),
    )


def depthwise_separable(width: float) -> nn.Module:
    a, b = scaled(3, width), scaled(5, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = torch.cat([net.one(x), net.two(x)], 1)
        return net.head(net.pointwise(net.norm(net.depthwise(x))))

    return Toy(
        run,
        one=conv_norm(3, a),
        two=conv_norm(3, b),
        depthwise=nn.Conv2d(a + b, 2 * (a + b), 3, groups=a + b),
        norm=nn.BatchNorm2d(2 * (a + b)),
        pointwise=nn.Conv2d(2 * (a + b), b, 1),
        head=head(b),
    )


def flatten_to_linear(width: float) -> nn.Module:
    a, b, c = scaled(2, width), scaled(3, width), scaled(8, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = functional.avg_pool2d(torch.cat([net.one(x), net.two(x)], 1), 2)
        return net.rest(x.view(x.size(0), -1))

    return Toy(
        run,
        one=nn.Conv2d(3, a, 1),
        two=nn.Conv2d(3, b, 1),
        rest=nn.Sequential(
            nn.Linear((a + b) * 16, c), nn.BatchNorm1d(c), nn.PReLU(c), nn.Linear(c, 5)
        ),
    )


def over_time(width: float) -> nn.Module:
    a, b = scaled(4, width), scaled(5, width)
    return nn.Sequential(
        nn.Conv1d(3, a, 3, padding=1),
        nn.InstanceNorm1d(a, affine=True),
        nn.GELU(),
        nn.Conv1d(a, b, 3, stride=2),
        nn.MaxPool1d(2),
        nn.Flatten(),
        nn.Linear(7 * b, 5),
    )


def over_space_and_time(width: float) -> nn.Module:
    a = scaled(3, width)
    return nn.Sequential(
        nn.Conv3d(3, a, 3, padding=1),
        nn.BatchNorm3d(a),
        nn.ReLU(),
        nn.Conv3d(a, a, 3, groups=a),
        nn.AdaptiveAvgPool3d(1),
        nn.Flatten(),
        nn.Linear(a, 5),
    )


def global_mean(width: float) -> nn.Module:
    a = scaled(4, width)
    return Toy(
        lambda net, x: net.last(net.conv(x).mean((2, 3)) + net.conv(x).amax(dim=(-1, -2))),
        conv=conv_norm(3, a),
        last=nn.Linear(a, 5),
    )


def squeeze_and_excitation(width: float) -> nn.Module:
    a, b = scaled(6, width), scaled(2, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = torch.cat([net.one(x), net.two(x)], 1)
        gate = net.expand(functional.silu(net.squeeze(functional.adaptive_avg_pool2d(x, 1))))
        return net.head(x * torch.sigmoid(gate).expand_as(x))

    return Toy(
        run,
        one=conv_norm(3, a),
        two=conv_norm(3, b),
        squeeze=nn.Conv2d(a + b, b, 1),
        expand=nn.Conv2d(b, a + b, 1),
        head=head(a + b),
    )


def channel_shuffle(width: float) -> nn.Module:
    a = 4 * scaled(2, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        left, right = net.stem(x).chunk(2, dim=1)
        x = torch.cat([left, net.branch(right)], dim=1)
        n, c, h, w = x.shape
        x = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        return net.head(net.last(x)[:, : c // 2])

    return Toy(
        run,
        stem=conv_norm(3, a),
        branch=nn.Conv2d(a // 2, a // 2, 3, padding=1, groups=a // 2),
        last=nn.Conv2d(a, a, 1, groups=a),
        head=head(a // 2),
    )


def tokens(width: float) -> nn.Module:
    """Channels last: linear layers on more than two dimensions, norms over positions' heads."""
    a = 2 * scaled(3, width)

    def run(net: nn.Module, x: Tensor) -> Tensor:
        x = net.patches(x).flatten(2).transpose(1, 2)
        x = x + net.second(functional.gelu(net.first(x)))
        heads = x.unflatten(2, (2, -1)).permute(0, 2, 1, 3)
        x = (heads * heads.softmax(dim=2)).permute(0, 2, 1, 3).flatten(2)
        return net.norm(net.last(x[:, 0] + x.mean(dim=1)))

    return Toy(
        run,
        patches=nn.Conv2d(3, a, 4, stride=4),
        first=nn.Linear(a, 2 * a),
        second=nn.Linear(2 * a, a),
        last=nn.Linear(a, 5),
        norm=nn.LayerNorm(5),
    )


def group_norm_of_whole_groups(width: float) -> nn.Module:
    a = 2 * scaled(3, width)
    return nn.Sequential(nn.Conv2d(3, a, 1), nn.GroupNorm(a // 2, a), nn.PReLU(), head(a))


def layer_called_twice(width: float) -> nn.Module:
    a = scaled(4, width)
    return Toy(
        lambda net, x: net.head(net.again(net.again(net.stem(x))) + torch.ones(1)),
        stem=conv_norm(3, a),
        again=conv_norm(a, a),
        head=head(a),
    )


NETWORKS: dict[str, Builder] = {
    builder.__name__: builder
    for builder in (
        chain,
        concatenation,
        residual_after_concatenation,
        added_into,
        concatenations_cut_differently,
        inception_blocks,
        groups_that_grow,
        groups_over_a_concatenation,
        more_groups,
        depthwise_separable,
        flatten_to_linear,
        over_time,
        over_space_and_time,
        global_mean,
        squeeze_and_excitation,
        channel_shuffle,
        tokens,
        group_norm_of_whole_groups,
        layer_called_twice,
    )
}
EXAMPLES = {"over_time": (2, 3, 32), "over_space_and_time": (2, 3, 4, 4, 4)}
