"""How layers with weights carry channels along, and where their own channels go."""

from dataclasses import dataclass, field

from torch import nn

from paenet.packing.channels.axes import (
    Axis,
    MismatchError,
    divide,
    fixed,
    fresh,
    join,
    repeat,
    sizes,
    split,
    unify,
)
from paenet.packing.channels.lockstep import Step, Tracked
from paenet.packing.channels.operations import refuse_growth

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
_INSTANCE_NORMS = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


@dataclass(frozen=True, slots=True)
class LayerAxes:
    """The axes of a layer's weight.

    Attributes:
        outputs: of its first dimension.
        inputs: of its second, for each group of the narrow layer; none where all its tensors are
            vectors.
    """

    outputs: Axis
    inputs: tuple[Axis, ...] = ()


@dataclass(slots=True)
class Layers:
    """The layers met on the way, by qualified name."""

    met: dict[str, LayerAxes] = field(default_factory=dict)

    def follow(self, step: Step) -> Tracked:
        """What a layer makes of its input.

        Raises:
            MismatchError: where channels cannot continue as the layer needs it.
        """
        assert step.modules is not None
        narrow, wide = step.modules
        axes = list(step.source.axes)
        if isinstance(narrow, nn.Linear) and isinstance(wide, nn.Linear):
            layer = LayerAxes(fresh(narrow.out_features, wide.out_features), (axes[-1],))
            axes[-1] = layer.outputs
        elif isinstance(narrow, Conv) and isinstance(wide, Conv):
            channel = _channel(narrow, axes)
            refuse_growth(axes[channel + 1 :], "slides along")
            layer = _convolution(narrow, wide, axes[channel])
            maps = (fixed(size) for size, _ in step.result.pairs[channel + 1 :])
            axes[channel:] = [layer.outputs, *maps]
        else:
            layer = LayerAxes(_vector(narrow, wide, axes))
        self._meet(str(step.target), layer)
        return Tracked(tuple(axes))

    def _meet(self, name: str, layer: LayerAxes) -> None:
        known = self.met.setdefault(name, layer)
        if known is not layer:  # called once more: one weight serves both calls
            unify(known.outputs, layer.outputs)
            for one, other in zip(known.inputs, layer.inputs, strict=True):
                unify(one, other)


def _channel(layer: nn.Module, axes: list[Axis]) -> int:
    """Where a layer has its channels; the batch may be missing before those of a convolution."""
    if isinstance(layer, (nn.Conv1d, nn.InstanceNorm1d)):
        return len(axes) - 2
    if isinstance(layer, (nn.Conv2d, nn.InstanceNorm2d)):
        return len(axes) - 3
    if isinstance(layer, (nn.Conv3d, nn.InstanceNorm3d)):
        return len(axes) - 4
    return 1


def _convolution(narrow: Conv, wide: Conv, inputs: Axis) -> LayerAxes:
    groups, wide_groups = narrow.groups, wide.groups
    old = narrow.in_channels // groups, narrow.out_channels // groups
    new = wide.in_channels // wide_groups, wide.out_channels // wide_groups
    if groups == wide_groups:  # each group grows
        pieces = split(inputs, [(old[0], new[0])] * groups)
        return LayerAxes(join(fresh(old[1], new[1]) for _ in pieces), tuple(pieces))
    if old == new:  # more groups of the same kind
        outputs = repeat(divide(inputs, old[0]), old[1])
        return LayerAxes(outputs, tuple(fixed(old[0]) for _ in range(groups)))
    raise MismatchError(
        f"its {groups} groups of {old[0]} inputs and {old[1]} outputs become {wide_groups} of "
        f"{new[0]} and {new[1]}",
        "keep either the number of groups or their size at every width",
    )


def _vector(narrow: nn.Module, wide: nn.Module, axes: list[Axis]) -> Axis:
    """The axis that the vectors of a norm or PReLU run along."""
    if isinstance(narrow, nn.LayerNorm):
        over = axes[len(axes) - len(narrow.normalized_shape) :]
        refuse_growth(over, "takes its statistics over")
        return over[0]
    channel = _channel(narrow, axes)
    if isinstance(narrow, nn.PReLU) and isinstance(wide, nn.PReLU):
        counts = narrow.num_parameters, wide.num_parameters
        if counts == (1, 1):
            return fixed(1)
        if counts != sizes(axes[channel]):
            raise MismatchError(f"it has {counts[0]} slopes and {counts[1]} at the two widths")
    elif isinstance(narrow, nn.GroupNorm) and isinstance(wide, nn.GroupNorm):
        refuse_growth(axes[channel + 1 :], "takes its statistics over")
        size = narrow.num_channels // narrow.num_groups
        wide_size = wide.num_channels // wide.num_groups
        if size != wide_size:
            raise MismatchError(
                f"its groups grow from {size} channels to {wide_size}, so that new channels would "
                "change the statistics of old ones",
                "let num_groups follow the width, or use batch norm",
            )
        divide(axes[channel], size)
    elif isinstance(narrow, _INSTANCE_NORMS):
        refuse_growth(axes[channel + 1 :], "takes its statistics over")
    else:  # batch norm
        refuse_growth([axes[0], *axes[2:]], "takes its statistics over")
    return axes[channel]
