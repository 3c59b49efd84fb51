"""Where a network can be split: below, what tasks share; above, what each has of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from operator import attrgetter
from typing import Any

from torch import Tensor, fx, nn
from torch.nn.modules.dropout import _DropoutNd

from paenet.errors import suggest
from paenet.packing.errors import PackingError
from paenet.packing.layout import PACKABLE, PRIVATE
from paenet.packing.tracing import Recording, Shape, is_constant, multiplications, record

Root = nn.Module | dict[str, Any]
"""Where a graph finds what its nodes call by name."""


@dataclass(frozen=True, slots=True)
class Stem:
    """The part of a task's network that is the base's own, norms included.

    Attributes:
        name: of the split where it ends.
        layers: the packed layers in it.
    """

    name: str
    layers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Split:
    """A place in a network through which all data flows, in one tensor.

    Attributes:
        name: of the outermost block that ends there, or of the packed layer before it.
        layers: the packed layers below it, in the order in which they run.
        privates: the norms and PReLU below it.
        shape: of the tensor, for the example.
        work: share of the network's multiplications that lie below, in (0, 1].
    """

    name: str
    layers: tuple[str, ...]
    privates: tuple[str, ...]
    shape: tuple[int, ...]
    work: float

    @property
    def stem(self) -> Stem:
        """What lies below, as a task keeps it."""
        return Stem(self.name, frozenset(self.layers))

    def keys(self, state: Iterable[str]) -> frozenset[str]:
        """Those of some state-dict keys whose tensors lie below."""
        below = {*self.layers, *self.privates}
        return frozenset(key for key in state if key.rpartition(".")[0] in below)


def splits(network: nn.Module, example: Tensor) -> dict[str, Split]:
    """Every place where `network` can be split, by name, from its input to its output.

    Between two of them lies at least one packed layer; the last has all of them below. The
    network may live on the meta device.

    Args:
        network: a backbone.
        example: a batch of one input.

    Raises:
        PackingError: where the network cannot be traced, or cannot run on the example.
    """
    return Traced(network, example).splits


def refuse_unknown(found: Iterable[str], name: str) -> None:
    """Refuses a name that is not among those of the splits found.

    Raises:
        PackingError: offers the nearest.
    """
    names = list(found)
    if name not in names:
        raise PackingError(
            f"stem {name!r}: the network has no such place to split{suggest(name, names)}"
        )


def refuse_wrong_stem(found: Mapping[str, Split], stem: Stem) -> None:
    """Refuses a stem that is not the part of the network that its name stands for.

    Args:
        found: every split of the network.

    Raises:
        PackingError: offers the nearest name, or names a layer.
    """
    refuse_unknown(found, stem.name)
    below = set(found[stem.name].layers)
    for layer in sorted(below ^ stem.layers):
        how = "lacks layer {!r}, which lies" if layer in below else "has layer {!r}, which is not"
        raise PackingError(
            f"stem {stem.name!r} {how.format(layer)} below that place of the network; learn the "
            "task again"
        )


def refuse_other_stem(split: Split, base: nn.Module, network: nn.Module) -> None:
    """Refuses a network of another width than the base below a split: it cannot compute the same.

    Raises:
        PackingError: names the layer.
    """
    own, other = base.state_dict(), network.state_dict()
    for key in sorted(split.keys(other)):
        if other[key].shape != own[key].shape:
            raise PackingError(
                f"stem {split.name!r}: layer {key.rpartition('.')[0]!r} in it has another width "
                "than the base's; change only what follows a stem, or take one that ends earlier"
            )


def segments(network: nn.Module, example: Tensor, names: Sequence[str]) -> list[fx.GraphModule]:
    """`network` cut at some splits into modules that follow one another; see `Traced.segments`."""
    return Traced(network, example).segments(names)


class Traced:
    """A network that was run once, to be cut as often as is wanted.

    Args:
        network: a backbone.
        example: a batch of one input.

    Attributes:
        splits: every place where it can be split; see `splits`.

    Raises:
        PackingError: where the network cannot be traced, or cannot run on the example.
    """

    def __init__(self, network: nn.Module, example: Tensor) -> None:
        self._recording = record(network, example)
        for node, value in zip(self._recording.nodes, self._recording.values, strict=True):
            node.meta["shape"] = value.sizes if isinstance(value, Shape) else None
            layer = self._recording.layers.get(str(node.target))
            node.meta["work"] = multiplications(node, layer)
        self._ends: dict[str, fx.Node] = {}
        self.splits: dict[str, Split] = {}
        for split, node in _found(self._recording):
            self.splits[split.name], self._ends[split.name] = split, node

    def segments(
        self, names: Sequence[str], network: nn.Module | None = None
    ) -> list[fx.GraphModule]:
        """The network cut at some splits into modules that follow one another.

        They share its layers: what trains or moves one of them moves the network's. What a forward
        asks of `self.training` itself (for `functional.dropout`, say) is as in evaluation; layers
        follow the mode that they are in. A node's `meta["shape"]` is that of its tensor for the
        example.

        Args:
            names: of the splits, from input to output.
            network: another one from the same builder, at the same width, to be cut instead.

        Returns:
            One module more than there are names.

        Raises:
            PackingError: where a split does not exist, or the names are in another order.
        """
        order = list(self._ends)
        for name in names:
            refuse_unknown(order, name)
        ranks = [order.index(name) for name in names]
        if ranks != sorted(set(ranks)):
            raise PackingError(
                f"stems {list(names)} do not follow one another from input to output"
            )
        start, output = self._outermost()
        ends = [*(self._ends[name] for name in names), output]
        root = self._root(network)
        return [self._segment(root, *places) for places in pairwise([start, *ends])]

    def after(self, name: str, network: nn.Module) -> fx.GraphModule:
        """What follows one split, as the last of `segments`."""
        refuse_unknown(list(self._ends), name)
        return self._segment(self._root(network), self._ends[name], self._outermost()[1])

    def _outermost(self) -> tuple[fx.Node, fx.Node]:
        """The nodes of the network's input and output."""
        nodes = self._recording.nodes
        start = next(node for node in nodes if node.op == "placeholder")
        output = next(node for node in nodes if node.op == "output")
        result = output.args[0]
        if not isinstance(result, fx.Node):
            raise PackingError(
                f"the network returns a {type(result).__name__}; it must be one tensor"
            )
        return start, output

    def _root(self, network: nn.Module | None) -> Root:
        """What the nodes call, in the recorded network or in another of its kind."""
        if network is None:
            return self._recording.graph
        return _named(network, self._recording)

    def _segment(self, root: Root, start: fx.Node, end: fx.Node) -> fx.GraphModule:
        """What runs after `start` up to `end`, as a module of one input.

        It returns the value of `end`: as the network returns it, where that is its output; else as
        it is there, and what changes it later belongs to what follows.
        """
        graph = fx.Graph()
        copies = {start: graph.placeholder("x")}
        copies[start].meta |= {key: start.meta[key] for key in ("shape", "memory")}

        def copied(node: fx.Node) -> fx.Node:
            if node not in copies:  # a constant may have been met by an earlier segment first
                copies[node] = graph.node_copy(node, copied)
            return copies[node]

        result, last = self._result(end)
        nodes = self._recording.nodes
        for node in nodes[nodes.index(start) + 1 : last + 1]:
            if node.op != "placeholder":
                copied(node)
        graph.output(copies[result])
        return fx.GraphModule(root, graph)

    def _result(self, end: fx.Node) -> tuple[fx.Node, int]:
        """The node whose value a segment returns, and the place of the last that it needs."""
        nodes = self._recording.nodes
        if end.op != "output":
            return end, nodes.index(end)
        (result,) = end.all_input_nodes
        memory = result.meta["memory"]
        changes = [i for i, node in enumerate(nodes) if memory & node.meta["changes"]]
        return result, max([nodes.index(result), *changes])


def _named(network: nn.Module, recording: Recording) -> dict[str, Any]:
    """What the nodes of a recording call by name, as another network of the same kind has it."""
    found = {}
    for node in recording.nodes:
        if node.op in ("call_module", "get_attr"):
            name = str(node.target)
            try:
                found[name] = attrgetter(name)(network)
            except AttributeError:  # made while the network ran, and the same in all of them
                found[name] = attrgetter(name)(recording.graph)
    return found


def work_of(segment: fx.GraphModule) -> int:
    """Multiplications of a segment, for the example with which its network was traced."""
    return sum(node.meta.get("work", 0) for node in segment.graph.nodes)


def alters(segment: fx.GraphModule) -> bool:
    """Whether a segment changes the tensor that it is given, or hands it on to who may."""
    nodes = list(segment.graph.nodes)
    mine = nodes[0].meta["memory"]
    changed = (node.meta.get("changes", ()) for node in nodes[1:-1])
    return not mine.isdisjoint(chain(nodes[-1].args[0].meta["memory"], *changed))


def _found(recording: Recording) -> Iterator[tuple[Split, fx.Node]]:
    """Every split and the node whose value flows through it."""
    uses = recording.uses()
    packed = [(i, name) for i, name in uses if isinstance(recording.layers[name], PACKABLE)]
    private = [(i, name) for i, name in uses if isinstance(recording.layers[name], PRIVATE)]
    work = list(accumulate(node.meta["work"] for node in recording.nodes))
    groups: dict[int, list[int]] = {}
    for place in _bottlenecks(recording, uses):
        groups.setdefault(sum(i <= place for i, _ in packed), []).append(place)
    groups.pop(0, None)
    for count, places in groups.items():
        place = _before_dropout(recording, places)
        name = _block(recording, places, {n for _, n in packed}) or packed[count - 1][1]
        if not name:  # of a network that is a layer itself
            continue
        yield (
            Split(
                name=name,
                layers=tuple(dict.fromkeys(n for i, n in packed if i <= place)),
                privates=tuple(dict.fromkeys(n for i, n in private if i <= place)),
                shape=recording.values[place].sizes,
                work=work[place] / work[-1] if work[-1] else 1.0,
            ),
            recording.nodes[place],
        )


def _bottlenecks(recording: Recording, uses: Sequence[tuple[int, str]]) -> Iterator[int]:
    """Places of the nodes after which nothing that ran before them is used again."""
    nodes = recording.nodes
    at = {node: i for i, node in enumerate(nodes)}
    last_uses = {name: i for i, name in uses}
    layers: dict[int, list[str]] = {}
    for i, name in uses:
        layers.setdefault(i, []).append(name)
    reach = 0  # the last place that needs a value from before, or uses a layer from before
    for i, node in enumerate(nodes):
        if node.op == "output":
            return
        reach = max([reach, *(last_uses[name] for name in layers.get(i, []))])
        if reach <= i and isinstance(recording.values[i], Shape) and node.op != "placeholder":
            yield i
        if not is_constant(node):
            reach = max([reach, *(at[user] for user in node.users)])


def _before_dropout(recording: Recording, places: Sequence[int]) -> int:
    """The last of some neighbouring places that no dropout lies before: it belongs above."""
    for earlier, place in pairwise(places):
        node = recording.nodes[place]
        if node.op == "call_module":
            random = isinstance(recording.graph.get_submodule(str(node.target)), _DropoutNd)
        else:
            random = "dropout" in str(node.target)
        if random:
            return earlier
    return places[-1]


def _block(recording: Recording, places: Sequence[int], packed: set[str]) -> str | None:
    """The outermost module with packed layers that ends at one of some neighbouring places."""
    ends: dict[str, int] = {}
    for i, node in enumerate(recording.nodes):
        for path in node.meta.get("nn_module_stack", ()):
            ends[path] = i
    blocks = [
        path
        for path, end in ends.items()
        if end in places and any(name.startswith(f"{path}.") for name in packed)
    ]
    return min(blocks, key=lambda path: path.count("."), default=None)
