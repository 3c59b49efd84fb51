"""A network at two widths, step by step: the same operation, its arguments at both widths."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor, fx, nn

from paenet.packing.channels.axes import Axis, grown
from paenet.packing.errors import PackingError
from paenet.packing.tracing import Recording, Shape, record

# What a layer's settings may differ in from one width to another.
_SIZE_SETTINGS = {
    *("in_channels", "out_channels", "groups", "in_features", "out_features", "unflattened_size"),
    *("num_features", "num_channels", "num_groups", "num_parameters", "normalized_shape"),
}


@dataclass(frozen=True, slots=True)
class Tracked:
    """A tensor of which the axes are followed."""

    axes: tuple[Axis, ...]

    @property
    def grown(self) -> bool:
        """Whether any axis has more entries in the wide network."""
        return any(grown(axis) for axis in self.axes)


@dataclass(frozen=True, slots=True)
class Sizes:
    """A tensor of which no more than the narrow and the wide size of each axis is known."""

    pairs: tuple[tuple[int, int], ...]

    @property
    def grown(self) -> bool:
        """Whether any axis has more entries in the wide network."""
        return any(narrow != wide for narrow, wide in self.pairs)


@dataclass(frozen=True, slots=True)
class Differs:
    """A value that follows the width and is not a tensor of equally many axes at both."""

    narrow: object
    wide: object


@dataclass(frozen=True, slots=True)
class Step:
    """One node of both graphs.

    Attributes:
        label: how errors name it: operation, node and the block that it is in.
        op: the kind of node, as torch.fx calls it.
        operation: the operation in lower case without underscores (`relu` for `nn.ReLU`,
            `torch.relu_` and `x.relu()`); of foreign functions and modules the qualified name.
        target: a function, or the name of a method, module or attribute.
        modules: the narrow and the wide module, where the node calls one.
        args, kwargs: the arguments, with `Tracked` for tensors and `Differs` for what changes.
        result: the value, with `Sizes` for tensors and `Differs` for what changes.
    """

    label: str
    op: str
    operation: str
    target: Any
    modules: tuple[nn.Module, nn.Module] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    result: Any

    @property
    def source(self) -> Tracked:
        """The tensor that the step works on: its first argument."""
        value = self.args[0] if self.args else self.kwargs.get("input")
        if not isinstance(value, Tracked):
            raise PackingError(f"{self.label}: expected a tensor as its first argument")
        return value

    def argument(self, name: str, position: int, default: object = None) -> Any:
        """An argument by name or position, or the setting of that name of a called module."""
        if name in self.kwargs:
            return self.kwargs[name]
        if position < len(self.args):
            return self.args[position]
        return getattr(self.modules[0], name, default) if self.modules else default


@dataclass(frozen=True, slots=True)
class Pair:
    """One node of both graphs before its arguments are known."""

    narrow: fx.Node
    wide: fx.Node
    modules: tuple[nn.Module, nn.Module] | None
    result: Any

    def step(self, known: dict[str, Any]) -> Step:
        """The step, given the values of all earlier nodes by their names in the narrow graph."""

        def value(narrow: Any, wide: Any) -> Any:
            return known[narrow.name] if isinstance(narrow, fx.Node) else Differs(narrow, wide)

        return Step(
            label=_label(self.narrow),
            op=self.narrow.op,
            operation=_operation(self.narrow, self.modules),
            target=self.narrow.target,
            modules=self.modules,
            args=_zip(self.narrow.args, self.wide.args, value),
            kwargs=_zip(self.narrow.kwargs, self.wide.kwargs, value),
            result=self.result,
        )


def walk(narrow: nn.Module, wide: nn.Module, example: Tensor) -> list[Pair]:
    """The nodes of both networks in the order in which they run on `example`.

    Raises:
        PackingError: where a network cannot be traced or run, or where the two differ in more
            than sizes; names the first node that differs.
    """
    one, two = record(narrow, example), record(wide, example)
    place = {node: i for r in (one, two) for i, node in enumerate(r.nodes)}
    pairs: list[Pair] = []
    for a, b in zip_longest(one.nodes, two.nodes):
        if a is None or b is None:
            which = "narrow" if b is None else "wide"
            raise _structure(f"{_label(a or b)} is in the {which} one only")
        if _skeleton(a, place) != _skeleton(b, place):
            raise _structure(f"{_label(a)} in the narrow one is {_label(b)} in the wide one")
        modules = None
        if a.op == "call_module":
            modules = one.graph.get_submodule(str(a.target)), two.graph.get_submodule(str(b.target))
            _compare_settings(_label(a), *modules)
        elif a.op == "get_attr":
            _compare_constants(_label(a), _attribute(one, a), _attribute(two, b))
        result = _zip(one.values[place[a]], two.values[place[b]], _sizes)
        for part in parts(result):
            if isinstance(part, Differs) and any(isinstance(p, Shape) for p in _both(part)):
                raise _structure(f"{_label(a)} does not give the same tensors, sizes apart")
        pairs.append(Pair(a, b, modules, result))
    return pairs


def parts(value: Any) -> Iterator[Any]:
    """What an argument or result consists of, however nested."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from parts(item)
    elif isinstance(value, dict):
        yield from parts(list(value.values()))
    elif isinstance(value, slice):
        yield from parts([value.start, value.stop, value.step])
    else:
        yield value


def _both(value: Differs) -> Iterator[Any]:
    yield from parts((value.narrow, value.wide))


def _zip(narrow: Any, wide: Any, leaf: Callable[[Any, Any], Any]) -> Any:
    """Two values as one, `leaf` of both wherever they are not alike."""
    if isinstance(narrow, (tuple, list)) and isinstance(wide, (tuple, list)):
        if len(narrow) != len(wide):
            return Differs(narrow, wide)
        items = [_zip(a, b, leaf) for a, b in zip(narrow, wide, strict=True)]
        return tuple(items) if isinstance(narrow, tuple) else items
    if isinstance(narrow, dict) and isinstance(wide, dict) and narrow.keys() == wide.keys():
        return {key: _zip(value, wide[key], leaf) for key, value in narrow.items()}
    if isinstance(narrow, slice) and isinstance(wide, slice):
        one, two = ((s.start, s.stop, s.step) for s in (narrow, wide))
        return slice(*_zip(one, two, leaf))
    if isinstance(narrow, (Shape, fx.Node)) or type(narrow) is not type(wide) or narrow != wide:
        return leaf(narrow, wide)
    return narrow


def _sizes(narrow: Any, wide: Any) -> Sizes | Differs:
    tensors = isinstance(narrow, Shape) and isinstance(wide, Shape)
    if tensors and len(narrow.sizes) == len(wide.sizes):
        return Sizes(tuple(zip(narrow.sizes, wide.sizes, strict=True)))
    return Differs(narrow, wide)


def _skeleton(node: fx.Node, place: dict[fx.Node, int]) -> tuple[object, ...]:
    """What a node has in common with its counterpart: all but the constants in its arguments."""
    arguments = parts((node.args, node.kwargs))
    inputs = [place[part] if isinstance(part, fx.Node) else None for part in arguments]
    return node.op, node.target, inputs


def _compare_settings(label: str, narrow: nn.Module, wide: nn.Module) -> None:
    if type(narrow).__qualname__ != type(wide).__qualname__:
        raise _structure(f"{label} is a {type(narrow).__name__} and a {type(wide).__name__}")
    one, two = _settings(narrow), _settings(wide)
    for name in sorted(one.keys() | two.keys()):
        if one.get(name) != two.get(name):
            raise _structure(f"{label} has {name} {one.get(name)} and {two.get(name)}")


def _settings(module: nn.Module) -> dict[str, Any]:
    settings = {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and name != "training" and name not in _SIZE_SETTINGS
    }
    tensors = [*module._parameters.items(), *module._buffers.items()]
    return settings | {name: tensor is not None for name, tensor in tensors}


def _compare_constants(label: str, narrow: object, wide: object) -> None:
    if not (isinstance(narrow, Tensor) and isinstance(wide, Tensor)):
        return
    if narrow.shape != wide.shape:
        raise PackingError(
            f"{label}: its shape follows the width ({list(narrow.shape)} and {list(wide.shape)}), "
            "and where its entries go is not known; use a layer that can be packed instead"
        )
    # A skeleton's buffers have no values; what its forward makes out of nothing does.
    has_values = not (narrow.is_meta or wide.is_meta or isinstance(narrow, nn.Parameter))
    if has_values and not torch.equal(narrow.cpu(), wide.cpu()):
        raise PackingError(
            f"{label}: this constant has other values at another width, so that the wide network "
            "would compute something else; give it the same ones"
        )


def _attribute(recording: Recording, node: fx.Node) -> object:
    name = str(node.target)
    if name in recording.constants:
        return recording.constants[name]
    value: object = recording.graph
    for part in name.split("."):
        value = getattr(value, part)
    return value


def _operation(node: fx.Node, modules: tuple[nn.Module, nn.Module] | None) -> str:
    if modules:
        name, home = type(modules[0]).__name__, type(modules[0]).__module__
    elif node.op == "call_function":
        name = getattr(node.target, "__name__", str(node.target))
        home = getattr(node.target, "__module__", None) or "torch"
    else:
        name, home = str(node.target), "torch"
    if home.split(".")[0] not in ("torch", "_operator", "builtins", "math"):
        return f"{home}.{name}"  # a namesake may compute anything
    return name.replace("_", "").lower()


def _label(node: fx.Node) -> str:
    if node.op == "call_module":
        return f"layer {str(node.target)!r}"
    if node.op == "get_attr":
        return f"attribute {str(node.target)!r}"
    if node.op in ("placeholder", "output"):
        return f"the {'input' if node.op == 'placeholder' else 'output'} {node.name!r}"
    name = str(getattr(node.target, "__name__", node.target)).strip("_")
    blocks = [path for path in node.meta.get("nn_module_stack", {}) if path]
    return f"{name}() (node {node.name!r}" + (f" in {blocks[-1]!r})" if blocks else ")")


def _structure(difference: str) -> PackingError:
    return PackingError(
        f"the networks differ in more than width: {difference}; the builder must make the same "
        "layers, in the same order and with the same settings, at every width"
    )
