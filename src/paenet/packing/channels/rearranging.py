"""How operations that only move entries about carry channels along."""

from collections.abc import Sequence
from math import gcd, prod
from typing import Any

import torch

from paenet.packing.channels.axes import (
    Axis,
    MismatchError,
    divide,
    fixed,
    fresh,
    grown,
    join,
    repeat,
    sizes,
    split,
    unify,
)
from paenet.packing.channels.lockstep import Differs, Step, Tracked, parts


def cat(step: Step) -> Tracked:
    """Tensors one after another along one axis; they share all others."""
    tensors = _tensors(step)
    first = list(tensors[0].axes)
    (dim,) = places(step.kwargs.get("axis", step.argument("dim", 1, 0)), len(first))
    for other in tensors[1:]:
        for d, axis in enumerate(other.axes):
            if d != dim:
                unify(first[d], axis)
    first[dim] = join(tensor.axes[dim] for tensor in tensors)
    return Tracked(tuple(first))


def stack(step: Step) -> Tracked:
    """Tensors one after another along a new axis; they share all others."""
    tensors = _tensors(step)
    first = list(tensors[0].axes)
    (dim,) = places(step.argument("dim", 1, 0), len(first) + 1)
    for other in tensors[1:]:
        for one, two in zip(first, other.axes, strict=True):
            unify(one, two)
    return Tracked((*first[:dim], fixed(len(tensors)), *first[dim:]))


def cut(step: Step) -> tuple[Tracked, ...]:
    """Neighbouring pieces of one axis, of the sizes that the run gave."""
    axes = step.source.axes
    (dim,) = places(step.argument("dim", 2, 0), len(axes))
    pieces = split(axes[dim], [result.pairs[dim] for result in step.result])
    return tuple(Tracked((*axes[:dim], piece, *axes[dim + 1 :])) for piece in pieces)


def index(step: Step) -> Any:
    """`x[...]` with numbers, slices, `None` and `...`, of a tensor or of a tuple of them."""
    source, key = step.args
    if isinstance(source, (tuple, list)):
        return source[key]
    axes = list(step.source.axes)
    items = list(key) if isinstance(key, tuple) else [key]
    named = sum(item is not None and item is not Ellipsis for item in items)
    gap = next((i for i, item in enumerate(items) if item is Ellipsis), len(items))
    items[gap : gap + 1] = [slice(None)] * (len(axes) - named)
    result: list[Axis] = []
    for item in items:
        if item is None:
            result.append(fixed(1))
        elif isinstance(item, slice):
            result.append(_cut_out(axes.pop(0), item))
        else:  # a number: the same channel at both widths, or no channel at all
            _cut_out(axes.pop(0), _only(item))
    return Tracked(tuple(result))


def reshape(step: Step) -> Tracked:
    """Flattens all axes into one and cuts that anew; one axis before and after may grow."""
    before = [sizes(axis) for axis in step.source.axes]
    after = list(step.result.pairs)
    old, new = _growing(before), _growing(after)
    outer, inner = _around(before, old)
    new_outer, new_inner = _around(after, new)
    # What is around the axis both before and after need not be gone through.
    same_outer, same_inner = gcd(outer, new_outer), gcd(inner, new_inner)
    flat = repeat(step.source.axes[old], inner // same_inner) * (outer // same_outer)
    blocks = divide(flat, new_inner // same_inner)
    pieces = new_outer // same_outer
    narrow, wide = sizes(blocks)
    first, *others = split(blocks, [(narrow // pieces, wide // pieces)] * pieces)
    for other in others:
        unify(first, other)
    axes = [fixed(narrow) for narrow, _ in after]
    axes[new] = first
    return Tracked(tuple(axes))


def permute(step: Step) -> Tracked:
    """The same axes in another order."""
    axes = step.source.axes
    # The operation itself says where axes go, shown on a tensor of which all sizes differ.
    probe = torch.empty(*range(len(axes)), device="meta")
    operation = getattr(torch.Tensor, step.target) if step.op == "call_method" else step.target
    moved = operation(probe, *step.args[1:], **step.kwargs)
    return Tracked(tuple(axes[place] for place in moved.shape))


def expand(step: Step) -> Tracked:
    """Copies along axes of one entry."""
    axes = step.source.axes
    axes = (*(fixed(1) for _ in step.result.pairs[len(axes) :]), *axes)
    result = zip(axes, step.result.pairs, strict=True)
    # Copies of one entry are all alike: any of them may continue any other.
    return Tracked(tuple(fresh(*pair) if sizes(axis) == (1, 1) else axis for axis, pair in result))


def places(dims: Any, count: int) -> tuple[int, ...]:
    """Dimensions as an argument gives them, as places from 0; all where it gives none."""
    if dims is None or isinstance(dims, bool) or dims == ():
        return tuple(range(count))
    return tuple(d % count for d in (dims if isinstance(dims, (tuple, list)) else (dims,)))


def _tensors(step: Step) -> list[Tracked]:
    return [part for part in parts(step.argument("tensors", 0)) if isinstance(part, Tracked)]


def _cut_out(axis: Axis, cut: slice) -> Axis:
    """The piece of an axis that a slice takes, whose ends may follow the width."""
    (start, stop, step), (wide_start, wide_stop, wide_step) = (
        slice(*(_at(end, width) for end in (cut.start, cut.stop, cut.step))).indices(size)
        for width, size in enumerate(sizes(axis))
    )
    if (start, stop, step) == (wide_start, wide_stop, wide_step) and not grown(axis):
        return fixed(len(range(start, stop, step)))
    if step != 1 or wide_step != 1:
        raise MismatchError("it takes every so many channels of an axis that grows")
    size, wide_size = sizes(axis)
    stop, wide_stop = max(start, stop), max(wide_start, wide_stop)
    pieces = [
        (start, wide_start),
        (stop - start, wide_stop - wide_start),
        (size - stop, wide_size - wide_stop),
    ]
    return split(axis, pieces)[1]


def _only(item: Any) -> slice:
    """The slice of the one entry that a number names."""
    numbers = [_at(item, width) for width in (0, 1)]
    if any(isinstance(number, bool) or not isinstance(number, int) for number in numbers):
        raise MismatchError("it is indexed with something that is neither a number nor a slice")
    stops = [number + 1 or None for number in numbers]  # -1 is the last: up to the end
    return slice(Differs(*numbers), Differs(*stops))


def _at(value: Any, width: int) -> Any:
    return (value.narrow, value.wide)[width] if isinstance(value, Differs) else value


def _growing(pairs: Sequence[tuple[int, int]]) -> int:
    """The place of the one axis that grows; 0 where none does."""
    growing = [i for i, (narrow, wide) in enumerate(pairs) if narrow != wide]
    if len(growing) > 1:
        raise MismatchError(f"{len(growing)} axes grow at once")
    return growing[0] if growing else 0


def _around(pairs: Sequence[tuple[int, int]], place: int) -> tuple[int, int]:
    """How many entries there are for one of the axis at `place`: before and behind it."""
    return prod(n for n, _ in pairs[:place]), prod(n for n, _ in pairs[place + 1 :])
