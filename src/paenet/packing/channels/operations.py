"""How operations without weights carry channels along: one rule per kind of operation.

A rule is sound where the wide network's old channels hold what the narrow one's do, whatever the
new channels hold. So element-wise operations may meet grown axes anywhere, a sum or a softmax must
not run along one, and what has no rule must not see one at all.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

from paenet.packing.channels.axes import Axis, MismatchError, fixed, grown, sizes, unify
from paenet.packing.channels.lockstep import Differs, Sizes, Step, Tracked, parts
from paenet.packing.channels.rearranging import (
    cat,
    cut,
    expand,
    index,
    permute,
    places,
    reshape,
    stack,
)
from paenet.packing.errors import PackingError

Rule = Callable[[Step], Any]


def follow(step: Step) -> Any:
    """The value of a step that has no weights: its result, with `Tracked` for tensors.

    Raises:
        MismatchError: where channels cannot continue as the operation needs it.
        PackingError: where the operation has no rule, or computes with the width itself.
    """
    results = [part for part in parts(step.result) if isinstance(part, Sizes)]
    if not results:
        return step.result
    inputs = list(parts((step.args, step.kwargs)))
    tensors = [part for part in inputs if isinstance(part, Tracked)]
    sized = any(isinstance(part, Differs) for part in inputs)
    if sized and step.operation not in _SIZED:
        raise PackingError(
            f"{step.label}: an argument follows the width, so that the wide network would compute "
            "something else; make it the same at every width"
        )
    growing = any(t.grown for t in tensors) or any(r.grown for r in results)
    if not growing and not sized:
        return _each(step.result, lambda result: (fixed(narrow) for narrow, _ in result.pairs))
    rule = _rule(step.operation)
    if rule is None:
        raise PackingError(
            f"{step.label}: channels that grow with the width cannot be followed through it; keep "
            "what comes before it at one width, or write it with packable layers, element-wise "
            "operations, pooling, torch.cat and reshape"
        )
    return rule(step)


def refuse_growth(axes: Sequence[Axis], reason: str) -> None:
    """Refuses that any of `axes` grows.

    Raises:
        MismatchError: with the first that does and the reason.
    """
    for axis in axes:
        if grown(axis):
            narrow, wide = sizes(axis)
            raise MismatchError(
                f"it {reason} an axis that grows from {narrow} to {wide}, so that new channels "
                "would change what old ones compute",
                "keep what comes before it at one width",
            )


def _each(result: Any, axes: Callable[[Sizes], Iterable[Axis]]) -> Any:
    """The result with the axes made for each of its tensors."""
    if isinstance(result, Sizes):
        return Tracked(tuple(axes(result)))
    if isinstance(result, tuple):
        return tuple(_each(item, axes) for item in result)
    if isinstance(result, dict):
        return {key: _each(item, axes) for key, item in result.items()}
    return result


def _pointwise(step: Step) -> Tracked:
    """Tensors broadcast against each other; every axis that they share is one axis."""
    tensors = [p for p in parts((step.args, step.kwargs)) if isinstance(p, Tracked)]
    axes: list[Axis] = []
    for place in range(-len(step.result.pairs), 0):
        meeting = [t.axes[place] for t in tensors if len(t.axes) >= -place]
        first, *others = [axis for axis in meeting if sizes(axis) != (1, 1)] or [fixed(1)]
        for other in others:
            unify(first, other)
        axes.append(first)
    return Tracked(tuple(axes))


def _reduce(step: Step) -> Any:
    axes = step.source.axes
    dims = step.kwargs.get("axis", step.argument("dim", 1))
    if isinstance(dims, Tracked):  # torch.max(a, b)
        return _pointwise(step)
    over = places(dims, len(axes))
    refuse_growth([axes[d] for d in over], "computes one value over")

    def rest(result: Sizes) -> Iterator[Axis]:
        keep = len(result.pairs) == len(axes)
        return (fixed(1) if d in over else a for d, a in enumerate(axes) if keep or d not in over)

    return _each(step.result, rest)


def _along(step: Step, position: int = 1, default: int | None = None) -> Tracked:
    axes = step.source.axes
    dims = places(step.argument("dim", position, default), len(axes))
    refuse_growth([axes[d] for d in dims], "mixes the values along")
    return step.source


def _trailing(step: Step, count: int) -> Any:
    """Works within each map: on the last `count` axes."""
    axes = step.source.axes
    kept = len(axes) - count
    refuse_growth(axes[kept:], "works along")
    return _each(step.result, lambda r: (*axes[:kept], *(fixed(n) for n, _ in r.pairs[kept:])))


def _pad(step: Step) -> Any:
    return _trailing(step, len(step.argument("pad", 1)) // 2)


def _resize(step: Step) -> Any:
    return _trailing(step, len(step.source.axes) - 2)


def _rule(operation: str) -> Rule | None:
    local = _LOCAL.fullmatch(operation)
    return partial(_trailing, count=int(local[1])) if local else _RULES.get(operation)


def _table(**rules: tuple[Rule, str]) -> dict[str, Rule]:
    return {name: rule for rule, names in rules.values() for name in names.split()}


# Pooling and padding within each map, as functions and as modules.
_LOCAL = re.compile(
    r"(?:(?:adaptive)?(?:max|avg)pool|lppool"
    r"|(?:zero|constant|reflection|replication|circular)pad)([123])d"
)

# Operations as `Step.operation` writes them. Random ones count as element-wise: what they do to a
# new channel does not reach an old one.
_RULES = _table(
    pointwise=(
        _pointwise,
        "add iadd sub isub mul imul div truediv itruediv floordiv ifloordiv mod "
        "imod fmod remainder neg pow ipow "
        "square sqrt rsqrt reciprocal exp expm1 log log1p log2 log10 abs sign sin cos tan atan "
        "erf round floor ceil trunc maximum minimum fmax fmin clamp clip clampmin clampmax where "
        "maskedfill lerp addcmul addcdiv nantonum eq ne lt le gt ge and iand or ior xor ixor not "
        "logicaland logicalor logicalnot isnan "
        "relu relu6 leakyrelu elu selu celu gelu silu mish sigmoid tanh hardswish hardsigmoid "
        "hardtanh softplus softsign softshrink hardshrink tanhshrink logsigmoid threshold rrelu "
        "dropout dropout1d dropout2d dropout3d featuredropout alphadropout featurealphadropout "
        "identity clone contiguous detach alias positive to type float double half bfloat16 "
        "cpu cuda expandas zeroslike oneslike",
    ),
    reduce=(
        _reduce,
        "mean sum nansum nanmean prod amax amin max min std var logsumexp argmax argmin median "
        "all any",
    ),
    along=(_along, "softmax logsoftmax softmin cumsum cumprod"),
    normalize=(partial(_along, position=2, default=1), "normalize"),
    pad=(_pad, "pad"),
    resize=(_resize, "interpolate upsample upsamplingnearest2d upsamplingbilinear2d"),
    cat=(cat, "cat concat concatenate"),
    stack=(stack, "stack"),
    split=(cut, "chunk split tensorsplit"),
    index=(index, "getitem"),
    reshape=(reshape, "reshape reshapeas view viewas flatten unflatten squeeze unsqueeze ravel"),
    permute=(permute, "permute transpose t swapaxes swapdims movedim moveaxis adjoint getattr"),
    expand=(expand, "expand broadcastto"),
)

# Those whose arguments may follow the width: their rules read sizes, or both widths' arguments.
_SIZED = {
    *("getitem", "reshape", "view", "unflatten", "expand", "broadcastto"),
    *("chunk", "split", "tensorsplit"),
}
