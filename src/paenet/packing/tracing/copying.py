"""Constants that a forward makes out of nothing and then changes: every run changes a copy.

torch.fx keeps what was made while it traced, and would change the same tensor in every run.
"""

from collections.abc import Sequence

from torch import Tensor, fx
from torch.multiprocessing.reductions import StorageWeakRef


def memory_of(tensor: Tensor) -> StorageWeakRef:
    """What a tensor has in common with its views."""
    return StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]


def copy_changed(graph: fx.GraphModule, constants: dict[str, Tensor]) -> bool:
    """Has a graph copy the constants that it changes in place, before it reads them.

    Args:
        graph: one that was run, so that `meta` has the `memory` of its nodes and what each
            `changes`; the nodes put in have none.
        constants: by name, those that are made anew when the network itself runs. What the copies
            are made of is added.

    Returns:
        Whether there were any.
    """
    reads: dict[StorageWeakRef, list[fx.Node]] = {}
    changed: set[int] = set()
    for node in graph.graph.nodes:
        changed |= node.meta["changes"]
        if node.op == "get_attr" and node.target in constants:
            reads.setdefault(memory_of(constants[node.target]), []).append(node)
    found = [nodes for nodes in reads.values() if any(changed & n.meta["memory"] for n in nodes)]
    for nodes in found:
        copies = _copies(graph, nodes, constants)
        for node in nodes:
            node.replace_all_uses_with(copies[str(node.target)])
            graph.graph.erase_node(node)
    graph.recompile()
    return bool(found)


def _copies(
    graph: fx.GraphModule, reads: Sequence[fx.Node], constants: dict[str, Tensor]
) -> dict[str, fx.Node]:
    """By name, copies of constants that share memory; they share that of the copy."""
    name, *others = dict.fromkeys(str(node.target) for node in reads)
    with graph.graph.inserting_before(reads[0]):
        if not others:
            return {name: graph.graph.call_method("clone", (graph.graph.get_attr(name),))}
        whole = f"{name}_memory"
        constants[whole] = _whole(constants[name])
        graph.register_buffer(whole, constants[whole].to(graph.get_buffer(name).device))
        copy = graph.graph.call_method("clone", (graph.graph.get_attr(whole),))
        return {n: _view(graph.graph, copy, constants[n]) for n in (name, *others)}


def _whole(tensor: Tensor) -> Tensor:
    """All of the memory of which a tensor is a view."""
    count = tensor.untyped_storage().nbytes() // tensor.itemsize
    return tensor.as_strided((count,), (1,), 0)


def _view(graph: fx.Graph, copy: fx.Node, tensor: Tensor) -> fx.Node:
    """The view of copied memory that a tensor is of its own."""
    place = (tuple(tensor.shape), tensor.stride(), tensor.storage_offset())
    return graph.call_method("as_strided", (copy, *place))
