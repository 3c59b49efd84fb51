"""Which channel of a wide network continues which channel of the narrow one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from paenet.packing.channels.axes import Axis, MismatchError, fixed, grown, positions, sizes
from paenet.packing.channels.choosing import choose_strongest
from paenet.packing.channels.layers import LayerAxes, Layers
from paenet.packing.channels.lockstep import Sizes, Step, Tracked, parts, walk
from paenet.packing.channels.operations import follow
from paenet.packing.errors import PackingError
from paenet.packing.layout import PACKABLE, PRIVATE


@dataclass(frozen=True, eq=False, slots=True)
class ChannelMaps:
    """Where the tensors of one narrow layer lie in those of the wide one.

    Attributes:
        outputs: int64 `(out,)`; for each narrow output channel the wide one that continues it.
            Vectors (biases, norms, PReLU slopes) go by it.
        inputs: int64; the same for the weight's second dimension, `(in / groups,)`, or
            `(out, in / groups)` where it depends on the output's group; None where the layer has
            no such dimension.
    """

    outputs: Tensor
    inputs: Tensor | None = None

    def place(self, narrow: Tensor, wide: Tensor) -> Tensor:
        """A copy of `wide` with the values of `narrow` at their places.

        What leads from a new input to an old output is zero, so that the old outputs compute what
        they did; new outputs keep what `wide` holds.

        Args:
            narrow: a weight, `(out, in / groups, ...)`, a vector, `(out,)`, or a scalar (which
                has no channels and is taken as it is).
            wide: the tensor of the same name in the wide network, of the same dtype.
        """
        if narrow.dim() == 0:
            return narrow.clone()
        self._check(narrow)
        result = wide.clone()
        outputs = self.outputs.to(wide.device)
        if self.inputs is None or narrow.dim() == 1:
            result[outputs] = narrow
        else:
            result[outputs] = 0
            result[outputs[:, None], self.inputs.to(wide.device)] = narrow
        return result

    def narrow(self, wide: Tensor) -> Tensor:
        """The narrow tensor that lies in `wide`: the inverse of `place`."""
        if wide.dim() == 0:
            return wide.clone()
        outputs = self.outputs.to(wide.device)
        if self.inputs is None or wide.dim() == 1:
            return wide[outputs]
        return wide[outputs[:, None], self.inputs.to(wide.device)]

    def then(self, second: "ChannelMaps") -> "ChannelMaps":
        """From the narrow layer to the one that `second` leads to."""
        inputs = second.inputs
        if inputs is not None and self.inputs is not None:
            per_output = inputs.dim() > 1
            inputs = (
                inputs[self.outputs[:, None], self.inputs] if per_output else inputs[self.inputs]
            )
        return ChannelMaps(second.outputs[self.outputs], inputs)

    def inside(self, other: "ChannelMaps") -> "ChannelMaps | None":
        """From this layer to that of `other`, where both lie in a wider one: what `then` undid.

        None where this one has channels that the other has not.
        """
        outputs = _places(self.outputs, other.outputs)
        if outputs is None or self.inputs is None or other.inputs is None:
            return None if outputs is None else ChannelMaps(outputs)
        if self.inputs.dim() == other.inputs.dim() == 1:
            inputs = _places(self.inputs, other.inputs)
            return None if inputs is None else ChannelMaps(outputs, inputs)
        mine = self.inputs.expand(len(outputs), -1)
        theirs = other.inputs.expand(len(other.outputs), -1)[outputs]
        rows = [_places(row, among) for row, among in zip(mine, theirs, strict=True)]
        found = [row for row in rows if row is not None]
        return ChannelMaps(outputs, torch.stack(found)) if len(found) == len(rows) else None

    def same(self, other: "ChannelMaps") -> bool:
        """Whether both lead to the same channels."""
        if self.inputs is None or other.inputs is None:
            alike = self.inputs is other.inputs
        else:
            alike = torch.equal(self.inputs, other.inputs)
        return alike and torch.equal(self.outputs, other.outputs)

    def _check(self, narrow: Tensor) -> None:
        counts = [len(self.outputs)]
        if self.inputs is not None and narrow.dim() > 1:
            counts.append(self.inputs.shape[-1])
        if list(narrow.shape[: len(counts)]) != counts:
            raise PackingError(
                f"a tensor of shape {list(narrow.shape)} is placed by maps of {counts} channels; "
                "give the tensor of the layer and the width that the maps are for"
            )


def trace(
    narrow: nn.Module,
    wide: nn.Module,
    example: Tensor,
    values: Mapping[str, Tensor] | None = None,
) -> dict[str, ChannelMaps]:
    """Finds where the channels of `narrow` continue in `wide`, so that it can compute the same.

    Args:
        narrow, wide: the network of one builder at two widths, on any device (`meta` will do).
            Neither is changed, and no value of a weight is looked at.
        example: an input as the network is called with; its values do not matter.
        values: the wide network's state. Where channels may be any of the wide ones, they are then
            those that pass on most; without it, the first.

    Returns:
        Maps for every packable layer, norm and PReLU by qualified name. With every tensor placed
        by them, the wide network in evaluation mode gives the outputs of the narrow one.

    Raises:
        PackingError: where the networks differ in more than width, cannot be traced by torch.fx,
            or where the wide one could not compute what the narrow one does; names the node.
    """
    known: dict[str, Any] = {}
    layers = Layers()
    for pair in walk(narrow, wide, example):
        step = pair.step(known)
        try:
            value = _value(step, layers)
        except MismatchError as mismatch:
            raise PackingError(f"{step.label}: {mismatch}; {mismatch.mend}") from None
        known[pair.narrow.name] = value
    if values is not None:
        choose_strongest(layers.met, values)
    one, two = _with_weights(narrow), _with_weights(wide)
    return {
        name: _maps(layers.met[name]) if name in layers.met else _unmoved(name, one, two)
        for name in one
    }


def _value(step: Step, layers: Layers) -> Any:
    if step.op in ("placeholder", "get_attr"):
        if isinstance(step.result, Sizes):  # of one size at both widths, or `walk` refuses
            return Tracked(tuple(fixed(narrow) for narrow, _ in step.result.pairs))
        return step.result
    if step.op == "output":
        _check_output(step)
        return None
    layer = step.modules is not None and isinstance(step.modules[0], PACKABLE + PRIVATE)
    value = layers.follow(step) if layer else follow(step)
    made = [tuple(map(sizes, t.axes)) for t in parts(value) if isinstance(t, Tracked)]
    if made != [part.pairs for part in parts(step.result) if isinstance(part, Sizes)]:
        raise PackingError(
            f"{step.label}: channels cannot be followed through it as it is called here; write it "
            "with packable layers, element-wise operations, pooling, torch.cat and reshape"
        )
    return value


def _check_output(step: Step) -> None:
    for tensor in parts(step.args):
        for axis in tensor.axes if isinstance(tensor, Tracked) else ():
            if grown(axis):
                narrow, wide = sizes(axis)
                raise PackingError(
                    f"the backbone's output grows from {narrow} to {wide} with the width; the "
                    "builder must keep the size of its last layer, for a head is attached to it"
                )


def _places(channels: Tensor, among: Tensor) -> Tensor | None:
    """Where each of some distinct channels stands among others; None where one does not."""
    order = among.argsort()
    places = torch.searchsorted(among[order], channels).clamp(max=len(among) - 1)
    found = order[places]
    return found if torch.equal(among[found], channels) else None


def _maps(layer: LayerAxes) -> ChannelMaps:
    outputs = _indices(layer.outputs)
    if not layer.inputs:
        return ChannelMaps(outputs)
    inputs = torch.stack([_indices(axis) for axis in layer.inputs])
    if bool((inputs == inputs[0]).all()):
        return ChannelMaps(outputs, inputs[0])
    return ChannelMaps(outputs, inputs.repeat_interleave(len(outputs) // len(inputs), dim=0))


def _indices(axis: Axis) -> Tensor:
    return torch.tensor(positions(axis), dtype=torch.int64)


def _with_weights(network: nn.Module) -> dict[str, nn.Module]:
    return {n: m for n, m in network.named_modules() if isinstance(m, PACKABLE + PRIVATE)}


def _unmoved(name: str, narrow: dict[str, nn.Module], wide: dict[str, nn.Module]) -> ChannelMaps:
    """The maps of a layer that no call was seen of: it must be as large at both widths."""
    shapes = _shapes(narrow[name])
    if name not in wide or _shapes(wide[name]) != shapes:
        raise PackingError(
            f"layer {name!r} grows with the width, but the forward does not call it, so that its "
            "channels cannot be followed; call it as a module, or remove it"
        )
    size = shapes.get("weight", [0])
    if isinstance(narrow[name], PACKABLE):
        return ChannelMaps(torch.arange(size[0]), torch.arange(size[1]))
    return ChannelMaps(torch.arange(size[0]))


def _shapes(layer: nn.Module) -> dict[str, list[int]]:
    return {name: list(tensor.shape) for name, tensor in layer.state_dict().items()}
