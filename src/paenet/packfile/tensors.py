"""How the tensors of a file are called, and the laws that they can be held to by themselves."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from paenet.packing.layout import Layout
from paenet.packing.parts import FREE, MOST_TASKS

_KNOWN = re.compile(
    r"(theta|owner)\..*|picked\.[1-9][0-9]*\..*|(private|head)\.[1-9][0-9]*\..+"
    r"|(outputs|inputs)\.(0|[1-9][0-9]*)\..*",
    re.DOTALL,
)


FLOAT_TYPES = frozenset({torch.float16, torch.bfloat16, torch.float32, torch.float64})
INTEGERS = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool})
DTYPES = FLOAT_TYPES | INTEGERS


@dataclass(frozen=True, slots=True)
class Finding:
    """A law that a file breaks.

    Attributes:
        law: the law in a few words.
        message: what was found, where, and what to do.
    """

    law: str
    message: str


def theta(layer: str) -> str:
    """A layer's weights: floats, at the widest width, zero where free."""
    return f"theta.{layer}"


def owner(layer: str) -> str:
    """The slot that owns each of a layer's weights: uint8, 0 where free."""
    return f"owner.{layer}"


def picked(slot: int, layer: str) -> str:
    """Which weights of a layer a task uses of those that it sees: bool, as the layer's weights."""
    return f"picked.{slot}.{layer}"


def private(slot: int, key: str) -> str:
    """A bias, norm or slope of a task, by its key in the backbone's state dict."""
    return f"private.{slot}.{key}"


def head(slot: int, key: str) -> str:
    """A tensor of a task's head, by its key in the head's state dict."""
    return f"head.{slot}.{key}"


def outputs(width: int, layer: str) -> str:
    """For each output channel of a narrow layer, the widest layer's that continues it: int64."""
    return f"outputs.{width}.{layer}"


def inputs(width: int, layer: str) -> str:
    """The same for the second dimension of the layer's weight."""
    return f"inputs.{width}.{layer}"


def layers_of(tensors: Mapping[str, Tensor]) -> list[str]:
    """The packed layers among some tensors, in the order of their names."""
    prefix = theta("")
    return sorted(name.removeprefix(prefix) for name in tensors if name.startswith(prefix))


def kinds_of(tensors: Mapping[str, Tensor]) -> list[str]:
    """The types of the weights among some tensors, of which a pack has one."""
    return sorted({_short(tensors[theta(layer)].dtype) for layer in layers_of(tensors)})


def mapped_layers(layout: Layout) -> list[str]:
    """The layers that channel maps are kept for: all that hold tensors."""
    return list(dict.fromkeys([*layout.packed, *(k.rpartition(".")[0] for k in layout.private)]))


NAMES_LAW = "every tensor is one that the format has"
OWNERS_LAW = "every owner is a task"
FREE_LAW = "free weights are zero"
FINITE_LAW = "all values are finite"
LAWS = (NAMES_LAW, OWNERS_LAW, FREE_LAW, FINITE_LAW)


def broken(tensors: Mapping[str, Tensor], names: Mapping[int, str]) -> Iterator[Finding]:
    """The laws that tensors break which need no network to be seen.

    Args:
        tensors: by name; owner maps where there are weights.
        names: of the tasks, by slot.
    """
    wrong = list(misnamed(tensors))
    yield from wrong
    if not wrong:
        yield from infinite(tensors)
        for layer in layers_of(tensors):
            yield from _layer(layer, tensors, names)


def misnamed(tensors: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Tensors that the format does not have, and those of types that it does not have."""
    for name, tensor in tensors.items():
        if not _KNOWN.fullmatch(name):
            yield Finding(NAMES_LAW, f"unknown tensor {name!r}; make the file again")
        elif tensor.dtype not in DTYPES:
            kinds = ", ".join(sorted(_short(dtype) for dtype in DTYPES))
            yield Finding(
                NAMES_LAW, f"tensor {name!r} is {_short(tensor.dtype)}; the format has {kinds}"
            )


def infinite(tensors: Mapping[str, Tensor]) -> Iterator[Finding]:
    """Tensors that hold something else than finite numbers."""
    for name, tensor in tensors.items():
        if not _finite(tensor):
            yield Finding(FINITE_LAW, f"tensor {name!r} holds NaN or infinity; learn it again")


def _layer(
    layer: str, tensors: Mapping[str, Tensor], names: Mapping[int, str]
) -> Iterator[Finding]:
    weights, owners = tensors[theta(layer)], tensors.get(owner(layer))
    if owners is None or owners.dtype != torch.uint8 or owners.shape != weights.shape:
        found = "is missing" if owners is None else f"is {sketch(owners)}"
        yield Finding(
            NAMES_LAW,
            f"tensor {owner(layer)!r} {found}; expected uint8 {list(weights.shape)}; "
            "make the file again",
        )
        return
    counts = torch.bincount(owners.flatten(), minlength=MOST_TASKS + 1)
    for slot in counts.nonzero().flatten().tolist():
        if slot != FREE and slot not in names:
            yield Finding(
                OWNERS_LAW,
                f"layer {layer!r}: slot {slot} owns {int(counts[slot])} weights and is no task; "
                f"the tasks have slots {sorted(names)}; make the file again",
            )
    stray = int(weights.masked_fill(owners != FREE, 0).count_nonzero())
    if stray:
        yield Finding(
            FREE_LAW,
            f"layer {layer!r}: {stray} free weights are not zero; make the file again",
        )


def _finite(tensor: Tensor) -> bool:
    if not tensor.is_floating_point() or not tensor.numel():
        return True
    if tensor.dtype == torch.bfloat16:  # which numpy does not have
        return bool(tensor.isfinite().all())
    # Both are NaN where anything is; ten times as fast as looking at each value.
    values = tensor.detach().numpy()
    return bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def sketch(tensor: Tensor) -> str:
    """A tensor's type and shape, as errors show it."""
    return f"{_short(tensor.dtype)} {list(tensor.shape)}"


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
