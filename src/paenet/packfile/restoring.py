"""A pack from a file's document and tensors, each held against the network it belongs to."""

import copy
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from paenet.errors import suggest
from paenet.packfile import picks, shapes
from paenet.packfile import tensors as named
from paenet.packfile.decoding import Contents
from paenet.packfile.errors import CodeNeededError, PackFileError
from paenet.packfile.heads import build as build_head
from paenet.packfile.networks import builder_of, skeletons
from paenet.packfile.schema import Document, TaskRecord
from paenet.packfile.shelf import Shelf
from paenet.packing import Pack, PackedLayer, PackedTask, Stem
from paenet.packing.channels.provenance import ChannelMaps
from paenet.packing.layout import Layout, join, layout_of
from paenet.packing.widening import Builder, Maps

State = Mapping[str, Tensor]
HELD_BY_LAYERS = ("theta.", "owner.", "picked.")


def restore(
    held: Contents,
    tensors: Mapping[str, Tensor],
    backbone: nn.Module | Builder | None,
    heads: Mapping[str, nn.Module],
) -> Pack:
    """The pack, which takes the tensors over.

    Args:
        tensors: all of the file's.

    Raises:
        PackFileError: names the first tensor that is missing, too many or of another shape.
    """
    names = [task.name for task in held.document.tasks]
    for name in heads:
        if name not in names:
            raise PackFileError(f"heads: the file has no task {name!r}{suggest(name, names)}")
    rest = {n: t for n, t in tensors.items() if not n.startswith(HELD_BY_LAYERS)}
    pack = frame(held, held.document.tasks, rest, backbone, heads)
    for layer in pack.layout.packed:
        pack.layers[layer] = PackedLayer(tensors[named.theta(layer)], tensors[named.owner(layer)])
    for record in held.document.tasks:
        task = pack.tasks[record.name]
        found = {layer: tensors.get(named.picked(task.slot, layer)) for layer in pack.layers}
        if record.picks:
            task.picked = {
                layer: picks.narrowed(task.name, layer, pack.widths[task.width], wide)
                for layer, wide in found.items()
                if wide is not None
            }
    return pack


def frame(
    held: Contents,
    records: Collection[TaskRecord],
    tensors: Mapping[str, Tensor],
    backbone: nn.Module | Builder | None,
    heads: Mapping[str, nn.Module],
) -> Pack:
    """A pack of some tasks that still lacks its layers.

    Args:
        records: the tasks, the first one among them.
        tensors: channel maps, and the private tensors and heads of these tasks.

    Raises:
        PackFileError: names the first tensor that is missing, too many or of another shape.
    """
    document = held.document
    weights = {n: held.listed[n] for n in map(named.theta, named.layers_of(held.listed))}
    shelf = Shelf({**weights, **tensors})
    widths = skeletons(
        document.spec, list(document.widths), backbone, shapes.most(held.archive.size)
    )
    layout = layout_of(widths[0].skeleton)
    states: list[State] = [width.skeleton.state_dict() for width in widths]
    for name in layout.packed:
        shelf.take(named.theta(name), states[-1][join(name, "weight")])
    for i, width in enumerate(widths[:-1]):
        width.maps = _maps(shelf, i, layout, states[i], states[-1])
    tasks: dict[str, PackedTask] = {}
    for record in records:
        base = None if document.base is None else tasks.get(document.base)
        tasks[record.name] = PackedTask(
            record.name,
            record.slot,
            tuple(record.sees),
            record.width,
            _private(shelf, record, layout, states[record.width], base),
            _head(shelf, record, heads.get(record.name)),
            _stem(record, layout),
            record.notes,
            fingerprint=record.fingerprint,
        )
    shelf.check_empty()
    return Pack.restored(
        _builder(document, backbone),
        layers={},
        widths=widths,
        tasks=tasks,
        example=None if document.example is None else torch.empty(document.example, device="meta"),
    )


def _builder(document: Document, backbone: nn.Module | Builder | None) -> Builder | None:
    if isinstance(backbone, nn.Module):
        return None
    return builder_of(document.spec) if backbone is None else backbone


def _private(
    shelf: Shelf, record: TaskRecord, layout: Layout, state: State, base: PackedTask | None
) -> dict[str, Tensor]:
    """Biases, norms and slopes; what the file leaves out must be the base's, and fit."""
    found = {}
    for key in layout.private:
        name = named.private(record.slot, key)
        if base is None or name in shelf or base.private[key].shape != state[key].shape:
            found[key] = shelf.take(name, state[key])
    return found


def _stem(record: TaskRecord, layout: Layout) -> Stem | None:
    if record.stem is None:
        return None
    strangers = sorted(set(record.stem.layers) - set(layout.packed))
    if strangers:
        raise PackFileError(
            f"task {record.name!r}: its stem has layer {strangers[0]!r}, which is no packed layer "
            "of the backbone; make the file again"
        )
    return Stem(record.stem.name, frozenset(record.stem.layers))


def _head(shelf: Shelf, record: TaskRecord, given: nn.Module | None) -> nn.Module:
    if given is not None:
        head = copy.deepcopy(given).cpu()
    elif record.head is not None:
        head = build_head(record.head)
    else:
        raise CodeNeededError(
            f"task {record.name!r}: its head holds more than a file can describe; hand over a "
            f"module of its kind, in Python: heads={{{record.name!r}: ...}}"
        )
    state = {
        key: shelf.take(named.head(record.slot, key), like)
        for key, like in head.state_dict().items()
    }
    head.load_state_dict(state, assign=True)
    return head.requires_grad_(True).eval()


def _maps(shelf: Shelf, width: int, layout: Layout, narrow: State, wide: State) -> Maps:
    """Where the channels of a narrower width lie."""
    maps: Maps = {}
    for layer in named.mapped_layers(layout):
        packed = layer in layout.packed
        small, large = (_shape(state, layer, packed) for state in (narrow, wide))
        name = named.outputs(width, layer)
        outputs = shelf.take(name)
        _check_map(name, outputs, [small[:1]], large[0])
        inputs = None
        if packed:
            name = named.inputs(width, layer)
            inputs = shelf.take(name)
            _check_map(name, inputs, [small[1:2], small[:2]], large[1])
        maps[layer] = ChannelMaps(outputs, inputs)
    return maps


def _shape(state: State, layer: str, packed: bool) -> list[int]:
    """Of the layer's weight, or of its first vector."""
    if packed:
        return list(state[join(layer, "weight")].shape)
    shapes = (list(t.shape) for key, t in state.items() if key.rpartition(".")[0] == layer)
    return next((shape for shape in shapes if shape), [1])


def _check_map(name: str, channels: Tensor, shapes: list[list[int]], size: int) -> None:
    if channels.dtype != torch.int64 or list(channels.shape) not in shapes:
        raise PackFileError(
            f"tensor {name!r} is {named.sketch(channels)}; expected int64 of shape "
            f"{' or '.join(map(str, shapes))}; make the file again"
        )
    if channels.numel() and not 0 <= int(channels.min()) <= int(channels.max()) < size:
        raise PackFileError(
            f"tensor {name!r} leads to channels from {int(channels.min())} to "
            f"{int(channels.max())}; the widest network has 0 to {size - 1}; make the file again"
        )
    in_order = channels.sort(dim=-1).values
    if bool((in_order[..., 1:] == in_order[..., :-1]).any()):
        raise PackFileError(
            f"tensor {name!r} leads two channels to the same one; make the file again"
        )
