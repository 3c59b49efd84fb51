"""What a network computes, in so many words: a digest that is another for other code."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from operator import attrgetter
from typing import Any

import torch
from torch import Tensor, fx, nn

from paenet.packing.tracing import is_constant

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # another in every process


def digests(parts: Mapping[str, nn.Module]) -> dict[str, str]:
    """For each of some parts of a network, a digest of what is computed up to its end.

    It is the same wherever the parts before it are cut, and in every process. The tensors of
    layers are no part of it: a fingerprint has them. Functions that torch.fx does not look into
    (`torch.fx.wrap`) count by their names.

    Args:
        parts: each continues from the one before.
    """
    found, telling = {}, hashlib.sha256()
    numbers: dict[fx.Node, int] = {}
    flows = 0  # the number of what goes from one part into the next
    count = 0
    for name, part in parts.items():
        whole = part if isinstance(part, fx.GraphModule) else _graph_of(part)
        tell = _Teller(whole, numbers)
        for node in whole.graph.nodes:
            if node.op == "placeholder":
                numbers[node] = flows
            elif node.op == "output":
                flows = numbers[node.args[0]]
            elif not is_constant(node):  # those are told where they are used
                count += 1
                numbers[node] = count
                telling.update(f"{tell.call(node)}\n".encode())
        found[name] = telling.hexdigest()[:32]
    return found


def _graph_of(module: nn.Module) -> fx.GraphModule:
    """A module as the only node of a graph."""
    graph = fx.Graph()
    graph.output(graph.call_module("whole", (graph.placeholder("x"),)))
    return fx.GraphModule({"whole": module}, graph)


class _Teller:
    """Tells what the nodes of one graph compute.

    Args:
        whole: the graph's module.
        numbers: of the nodes so far.
    """

    def __init__(self, whole: fx.GraphModule, numbers: Mapping[fx.Node, int]) -> None:
        self._whole = whole
        self._numbers = numbers

    def call(self, node: fx.Node) -> str:
        """What a node computes, and of what."""
        return " ".join(
            [node.op, self._called(node), self._value(node.args), self._value(node.kwargs)]
        )

    def _called(self, node: fx.Node) -> str:
        if node.op not in ("call_module", "get_attr"):
            return self._value(node.target)
        held = attrgetter(str(node.target))(self._whole)
        told = self._module(held) if isinstance(held, nn.Module) else self._value(held)
        return f"{node.target} {told}"

    def _module(self, module: nn.Module) -> str:
        """A layer by its class and settings, of which its `repr` leaves some out."""
        return "; ".join(
            f"{name}: {_name(type(part))} {self._value(dict(_settings(part)))}"
            for name, part in module.named_modules()
        )

    def _value(self, value: Any) -> str:
        if isinstance(value, fx.Node):
            number = self._numbers.get(value)
            return f"({self.call(value)})" if number is None else f"#{number}"
        if isinstance(value, Tensor):
            return f"{value.dtype} {list(value.shape)} {_bytes(value)}"
        if isinstance(value, Mapping):
            return f"{{{', '.join(f'{k}: {self._value(v)}' for k, v in value.items())}}}"
        if isinstance(value, tuple | list):
            return f"[{', '.join(map(self._value, value))}]"
        if isinstance(value, slice):
            return f"slice{self._value([value.start, value.stop, value.step])}"
        if isinstance(value, nn.Module):
            return _name(type(value))
        if callable(value) and hasattr(value, "__qualname__"):
            return _name(value)
        return _ADDRESS.sub("", repr(value))


def _settings(module: nn.Module) -> Iterator[tuple[str, Any]]:
    """What a layer was made with, in the order of names."""
    for name, value in sorted(vars(module).items()):
        if not name.startswith("_") and name != "training":
            yield name, value


def _name(function: Callable[..., Any]) -> str:
    """Of a function or class; its plain name, too, which may be all that tells it from others."""
    plain = getattr(function, "__name__", "")
    return f"{function.__module__}.{function.__qualname__} {plain}"


def _bytes(tensor: Tensor) -> str:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return hashlib.sha256(flat.view(torch.uint8).numpy().data).hexdigest()
