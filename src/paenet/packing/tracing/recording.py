"""A network as a graph, with the shapes that an example takes on its way through."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.utils import parametrize

from paenet.errors import first_line
from paenet.packing.errors import PackingError
from paenet.packing.layout import PACKABLE, PRIVATE
from paenet.packing.tracing.changing import ANEW, Changing
from paenet.packing.tracing.copying import copy_changed, memory_of
from paenet.packing.tracing.shaping import shaped, shaped_call


@dataclass(frozen=True, slots=True)
class Shape:
    """A tensor of which only the shape was kept."""

    sizes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Recording:
    """One run of a network.

    Attributes:
        nodes: the graph's nodes in the order in which they run. `meta` has the numbers of the
            `memory` of each one's tensors and of that which it `changes` in place.
        values: the value of each, with `Shape` in the place of tensors.
        graph: the traced network; it shares its layers.
        constants: by name, the tensors that its forward makes out of nothing.
        layers: by name, those of its modules that hold tensors.
    """

    nodes: list[fx.Node]
    values: list[Any]
    graph: fx.GraphModule
    constants: dict[str, Tensor]
    layers: dict[str, nn.Module]

    def uses(self) -> list[tuple[int, str]]:
        """Places of the nodes that compute with tensors of a layer, and its name, in order."""
        at = {node: i for i, node in enumerate(self.nodes)}
        found = set()
        for node in self.nodes:
            name = self._layer(node)
            if name is not None:
                nodes = node.users if is_constant(node) else [node]
                found |= {(at[user], name) for user in nodes}
        return sorted(found)

    def _layer(self, node: fx.Node) -> str | None:
        """The layer that a node calls, or of which it has a tensor: as it is, or parametrised."""
        if node.op not in ("call_module", "get_attr") or node.target in self.constants:
            return None
        path = str(node.target)
        while path and path not in self.layers:
            path = path.rpartition(".")[0]
        return path if path in self.layers else None


def is_constant(node: fx.Node) -> bool:
    """Whether a node has a value that depends on no input, and can be had again anywhere."""
    called = node.op == "call_module" and not node.all_input_nodes  # a parametrised weight
    return called or node.op == "get_attr"


class _Recorder(fx.Interpreter):
    """Runs a graph and notes in `meta` of each node which memory it has and which it changes.

    Memory is numbered: tensors with a number in common are views of one another, or would be with
    other strides or another type.
    """

    def __init__(self, module: fx.GraphModule, constants: Iterable[str]) -> None:
        super().__init__(module)
        self.values: list[Any] = []
        self._copies = {name: module.get_buffer(name).clone() for name in constants}
        self._numbers: dict[StorageWeakRef, int] = {}

    def run_node(self, n: fx.Node) -> Any:
        if n.target in ANEW and not _tensors(self.env[n.all_input_nodes[0]]):
            # A size, say: `+=` makes another number, and torch.fx would write over the old one.
            n.target = ANEW[n.target]
        given = [t for node in n.all_input_nodes for t in _tensors(self.env[node])]
        versions = [t._version for t in given]  # torch counts what changes a tensor or its views
        value = super().run_node(n)
        self.values.append(_sketch(value))
        if given and _may_be_view(n, self.submodules):
            for tensor in _tensors(value):
                self._numbers.setdefault(memory_of(tensor), self._number(given[0]))
        changed = [t for t, version in zip(given, versions, strict=True) if t._version != version]
        n.meta["memory"] = frozenset(map(self._number, _tensors(value)))
        n.meta["changes"] = frozenset(map(self._number, changed))
        return value

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        """A tensor by its name; of a constant, a copy that may be changed."""
        copy = self._copies.get(target)
        return super().get_attr(target, args, kwargs) if copy is None else copy

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        """What a layer returns; only as large as that, where torch's own layer need not be run."""
        layer = self.fetch_attr(target)
        one = len(args) == 1 and not kwargs and isinstance(args[0], Tensor)
        found = shaped(layer, args[0]) if one else None
        return layer(*args, **kwargs) if found is None else found

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """What a function returns; only as large as that, where it need not be run."""
        found = None if kwargs else shaped_call(target, args)
        return super().call_function(target, args, kwargs) if found is None else found

    def _number(self, tensor: Tensor) -> int:
        return self._numbers.setdefault(memory_of(tensor), len(self._numbers))


# These copy in one order of the axes in memory and not in the other, or of one type of numbers.
_MAY_BE_VIEWS = {
    *("contiguous", "flatten", "ravel", "reshape", "reshape_as"),
    *("to", "type", "type_as", "float", "double", "half", "bfloat16", "cpu", "cuda"),
}


def _may_be_view(node: fx.Node, modules: Mapping[str, nn.Module]) -> bool:
    """Whether what a node returns may be a view of its first argument, though here it is none."""
    if node.op == "call_module":
        return isinstance(modules.get(str(node.target)), nn.Flatten)
    return getattr(node.target, "__name__", node.target) in _MAY_BE_VIEWS


class _Tracer(fx.Tracer):
    proxy_buffer_attributes = True  # or what a forward makes of them would be fixed by their values

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """What stands for the value of a node while a network is traced."""
        return Changing(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if isinstance(m, PACKABLE + PRIVATE):
            return _computes_as_torch(m)
        return super().is_leaf_module(m, module_qualified_name)


def record(network: nn.Module, example: Tensor) -> Recording:
    """Runs `network` on `example`, in evaluation mode and without gradients.

    The network is left as it was. It may live on the meta device, and the example anywhere.

    Raises:
        PackingError: where it cannot be traced, or cannot run on the example.
    """
    # Inference mode has no versions, by which the recorder sees what is changed in place.
    with _evaluating(network), torch.inference_mode(False):
        graph = _trace(network)
        weight = next((p for p in network.parameters() if p.is_floating_point()), example)
        if example.is_floating_point():
            example = example.to(weight.device, weight.dtype)
        constants = {n: t for n, t in graph._buffers.items() if t is not None}
        for name, constant in constants.items():
            graph._buffers[name] = constant.to(weight.device)
        made = {n: t for n, t in constants.items() if not hasattr(network, n)}
        try:
            with torch.no_grad(), torch.random.fork_rng(devices=[]):
                values = _run(graph, example, made)
                if copy_changed(graph, made):
                    values = _run(graph, example, made)
        except Exception as error:
            raise PackingError(
                f"the network cannot run on an example of shape {list(example.shape)} "
                f"({first_line(error)}); give an example of what it is called with"
            ) from error
    layers: dict[str, nn.Module] = {
        n: m for n, m in network.named_modules() if isinstance(m, PACKABLE + PRIVATE)
    }
    return Recording(list(graph.graph.nodes), values, graph, constants | made, layers)


def _run(graph: fx.GraphModule, example: Tensor, constants: Iterable[str]) -> list[Any]:
    """The value of every node on a copy of `example`: the network may change what it is given."""
    recorder = _Recorder(graph, constants)
    recorder.run(example.clone())
    return recorder.values


def _trace(network: nn.Module) -> fx.GraphModule:
    before = set(vars(network))
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(network.forward).parameters.items()
        if parameter.default is not inspect.Parameter.empty
    }
    try:
        # Optional arguments keep their defaults: a traced `mask is None` would be false.
        graph = _Tracer().trace(network, concrete_args=defaults or None)
        return fx.GraphModule(network, graph)
    except Exception as error:
        raise PackingError(
            f"{type(network).__name__} cannot be traced by torch.fx ({first_line(error)}), so it "
            "has no stems and cannot be widened; write its forward without control flow that "
            "depends on the data"
        ) from error
    finally:
        for name in set(vars(network)) - before:  # torch.fx leaves the constants it met behind
            delattr(network, name)


@contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _computes_as_torch(layer: nn.Module) -> bool:
    """Whether a layer computes what the torch class does that it derives from."""
    # What learns is traced as what has learnt, so that both split at the same places.
    for kind in parametrize.type_before_parametrizations(layer).__mro__:
        if kind.__module__.startswith("torch."):
            return True
        if vars(kind).keys() & {"forward", "_conv_forward"}:
            return False
    return False


def _sketch(value: Any) -> Any:
    """A value with shapes in the place of tensors, and plain tuples in that of named ones."""
    if isinstance(value, Tensor):
        return Shape(tuple(value.shape))
    if isinstance(value, (tuple, list)):
        return tuple(_sketch(item) for item in value)
    if isinstance(value, dict):
        return {key: _sketch(item) for key, item in value.items()}
    return value


def _tensors(value: Any) -> list[Tensor]:
    """The tensors of which a value consists."""
    if isinstance(value, (tuple, list)):
        return [tensor for item in value for tensor in _tensors(item)]
    return [value] if isinstance(value, Tensor) and value.layout == torch.strided else []
