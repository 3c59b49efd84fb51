"""The channels of a tensor at two widths: which wide one continues which narrow one.

An axis is a row of segments. A segment says that `narrow` neighbouring channels of the narrow
tensor lie, in order, among `wide` neighbouring channels of the wide tensor, but not where. What
the network does with the tensors narrows that down: the parts of a concatenation are segments of
their own, a sum makes two axes one, a group of a convolution must stay within its group. Whatever
stays open in the end is settled by a choice: of the span's channels some are taken (`chosen`),
the first ones by default.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import lcm


class MismatchError(Exception):
    """No assignment of channels fits.

    Args:
        fact: what is wrong, without the place.
        mend: what to do about it.
    """

    def __init__(
        self,
        fact: str,
        mend: str = "give the layers that meet here widths that agree, or keep them at one width",
    ) -> None:
        super().__init__(fact)
        self.mend = mend


@dataclass(eq=False, slots=True)
class Span:
    """Neighbouring channels that some layer makes.

    Attributes:
        narrow, wide: how many they are.
        parts: what they turned out to be; None where nothing finer is known.
        chosen: the wide channels, in order, that the narrow ones are; None takes the first.
    """

    narrow: int
    wide: int
    parts: tuple[Segment, ...] | None = None
    chosen: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if self.narrow > self.wide:
            raise MismatchError(
                f"{self.narrow} channels would have to continue in {max(self.wide, 0)}"
            )


@dataclass(frozen=True, slots=True)
class Segment:
    """A span of which every channel stands for `repeat` neighbours (a flattened map, say)."""

    span: Span
    repeat: int = 1

    @property
    def sizes(self) -> tuple[int, int]:
        """Entries at the narrow and at the wide width."""
        return self.span.narrow * self.repeat, self.span.wide * self.repeat


Axis = tuple[Segment, ...]


def fresh(narrow: int, wide: int) -> Axis:
    """An axis of which nothing is known but its sizes.

    Raises:
        MismatchError: where it shrinks.
    """
    return (Segment(Span(narrow, wide)),) if wide or narrow else ()


def fixed(size: int) -> Axis:
    """An axis that has the same entries at both widths."""
    return fresh(size, size)


def sizes(axis: Axis) -> tuple[int, int]:
    """Entries at the narrow and at the wide width."""
    return sum(s.sizes[0] for s in axis), sum(s.sizes[1] for s in axis)


def grown(axis: Axis) -> bool:
    """Whether the wide axis has more entries.

    One that has not holds the same entries in the same order, for a segment never shrinks.
    """
    narrow, wide = sizes(axis)
    return narrow != wide


def join(axes: Iterable[Axis]) -> Axis:
    """The axes one after another, as a concatenation puts them."""
    return tuple(chain.from_iterable(axes))


def repeat(axis: Axis, times: int) -> Axis:
    """Every entry `times` in a row, as flattening the axes behind it makes it."""
    return tuple(Segment(s.span, s.repeat * times) for s in axis)


def unify(one: Axis, other: Axis) -> None:
    """Makes two axes place their channels alike, as a sum needs it.

    Raises:
        MismatchError: where no assignment fits both.
    """
    if sizes(one) != sizes(other):
        raise MismatchError(
            f"axes of {_arrow(*sizes(one))} and {_arrow(*sizes(other))} channels meet"
        )
    left, right = list(reversed(one)), list(reversed(other))
    while left:
        s, t = _pop(left), _pop(right)
        (s_narrow, s_wide), (t_narrow, t_wide) = s.sizes, t.sizes
        if s.sizes == t.sizes:
            _bind(s, t)
        elif s_narrow <= t_narrow and s_wide <= t_wide:
            left.append(s)
            right += reversed(_cut(t, s_narrow, s_wide))
        elif s_narrow >= t_narrow and s_wide >= t_wide:
            right.append(t)
            left += reversed(_cut(s, t_narrow, t_wide))
        else:
            raise MismatchError(
                f"where one input has {_arrow(*s.sizes)} neighbouring channels, another has "
                f"{_arrow(*t.sizes)}"
            )


def split(axis: Axis, pieces: Sequence[tuple[int, int]]) -> list[Axis]:
    """Cuts an axis into neighbours of the given narrow and wide sizes, which must add up.

    Raises:
        MismatchError: where a channel would leave its piece.
    """
    whole = sizes(axis)
    if whole != (sum(n for n, _ in pieces), sum(w for _, w in pieces)):
        raise MismatchError(f"{_arrow(*whole)} channels do not split into {list(pieces)}")
    stack = list(reversed(axis))
    result: list[Axis] = []
    for piece in pieces:
        narrow, wide = piece
        taken: list[Segment] = []
        while narrow or wide:
            segment = _pop(stack)
            n, w = segment.sizes
            if n > narrow or w > wide:
                segment, rest = _cut(segment, narrow, wide)
                stack.append(rest)
                n, w = narrow, wide
            taken.append(segment)
            narrow, wide = narrow - n, wide - w
        result.append(tuple(taken))
    return result


def divide(axis: Axis, size: int) -> Axis:
    """The axis of blocks of `size` neighbours, each of which stays whole from here on.

    Raises:
        MismatchError: where a block could not stay whole.
    """
    blocks: list[Segment] = []
    same = 0  # entries since the last block that have no choice
    for segment in _leaves(axis):
        narrow, wide = segment.sizes
        if narrow == wide:
            same += narrow
            continue
        if same % size or narrow % size or wide % size:
            raise MismatchError(
                f"{_arrow(narrow, wide)} channels after {same} do not form blocks of {size}"
            )
        blocks += fixed(same // size)
        granule = lcm(segment.repeat, size)
        blocks.append(Segment(_coarsen(segment, granule), granule // size))
        same = 0
    if same % size:
        raise MismatchError(f"{same} channels do not form blocks of {size}")
    return (*blocks, *fixed(same // size))


def positions(axis: Axis) -> list[int]:
    """For every narrow entry the wide one that continues it, under all that is known so far."""
    result: list[int] = []
    for start, segment in leaves(axis):
        times = segment.repeat
        for channel in segment.span.chosen or range(segment.span.narrow):
            first = start + channel * times
            result += range(first, first + times)
    return result


def leaves(axis: Axis) -> Iterator[tuple[int, Segment]]:
    """The segments that an axis turned out to be made of, each with its first wide entry."""
    start = 0
    for segment in _leaves(axis):
        yield start, segment
        start += segment.sizes[1]


def _leaves(axis: Axis) -> Iterator[Segment]:
    stack = list(reversed(axis))
    while stack:
        yield _pop(stack)


def _pop(stack: list[Segment]) -> Segment:
    """The next segment whose span is not known to be made of finer ones."""
    segment = stack.pop()
    while (parts := segment.span.parts) is not None:
        stack += (Segment(p.span, p.repeat * segment.repeat) for p in reversed(parts))
        segment = stack.pop()
    narrow, wide = segment.sizes
    if narrow in (0, wide) and segment.repeat > 1:
        # Nothing to choose, so that blocks need not be respected: free to be cut anywhere.
        return Segment(Span(narrow, wide))
    return segment


def _bind(one: Segment, other: Segment) -> None:
    """Makes two segments of the same sizes one."""
    if one.span is other.span or one.sizes[0] in (0, one.sizes[1]):
        return
    granule = lcm(one.repeat, other.repeat)
    _coarsen(other, granule).parts = (Segment(_coarsen(one, granule)),)


def _coarsen(segment: Segment, granule: int) -> Span:
    """The span of blocks of `granule` entries that the segment is made of from here on."""
    times = granule // segment.repeat
    span = segment.span
    if times == 1:
        return span
    if span.narrow % times or span.wide % times:
        raise MismatchError(f"{_arrow(*segment.sizes)} channels do not form blocks of {granule}")
    coarse = Span(span.narrow // times, span.wide // times)
    span.parts = (Segment(coarse, times),)
    return coarse


def _cut(segment: Segment, narrow: int, wide: int) -> tuple[Segment, Segment]:
    """The segment's first entries, as many as given, and the rest."""
    times = segment.repeat
    if narrow % times or wide % times:
        raise MismatchError(
            f"a cut after {_arrow(narrow, wide)} entries falls within a block of {times}"
        )
    span = segment.span
    first = Segment(Span(narrow // times, wide // times))
    rest = Segment(Span(span.narrow - first.span.narrow, span.wide - first.span.wide))
    span.parts = (first, rest)
    return Segment(first.span, times), Segment(rest.span, times)


def _arrow(narrow: int, wide: int) -> str:
    return f"{narrow}" if narrow == wide else f"{narrow}->{wide}"
