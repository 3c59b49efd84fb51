"""Codings: the fewest bytes that hold a task's values exactly.

A value grid (`paenet.packing.values`) leaves few values to a layer; the coding finds them again
from the values alone, so that a file is never less exact than the pack that it was made of.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paenet.packfile import planes
from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import Bytes, Stream
from paenet.packing.values import steps_to

FLOATS = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}
CODEBOOK_BITS = range(1, 9)
TABLES = "tables"  # the stream of scales or shared values
_STRETCH = 2**18  # weights whose places are in memory at once


class Mask:
    """Which weights of a layer a task owns.

    Args:
        mine: bool, of all weights of the layer, row-major.
        shape: of the layer's weight, `(out, …)`.
    """

    def __init__(self, mine: NDArray[np.bool_], shape: Sequence[int]) -> None:
        self._mine = mine
        self.shape = tuple(shape)

    @classmethod
    def union(cls, masks: Iterable[Mask], shape: Sequence[int]) -> Mask:
        """The weights that are in any of some masks of one layer."""
        found = np.zeros(math.prod(shape), np.bool_)
        for mask in masks:
            found |= mask._mine
        return cls(found, shape)

    @cached_property
    def count(self) -> int:
        """How many they are."""
        return int(np.count_nonzero(self._mine))

    @property
    def tensor(self) -> Tensor:
        """Bool, of the layer's shape."""
        return torch.from_numpy(self._mine).reshape(self.shape)

    @cached_property
    def rows(self) -> Tensor:
        """`(out,)` int64; how many of them each output channel has."""
        width = math.prod(self.shape[1:])
        return torch.from_numpy(self._mine.reshape(self.shape[0], width).sum(1, dtype=np.int64))

    def places(self) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Stretches of the layer, and where in each the weights are.

        Numbers of places are several times as fast to write to as masks, and take more memory.
        """
        for start in range(0, len(self._mine), _STRETCH):
            stretch = slice(start, start + _STRETCH)
            yield stretch, np.flatnonzero(self._mine[stretch])


@dataclass(frozen=True, eq=False, slots=True)
class Owned:
    """The weights of a layer that a task owns.

    Attributes:
        values: `(n,)`, in the order of their places.
        mask: the places.
        seen: `(out,)` the largest magnitude that the task sees in each output channel, its own or
            another's; None where that is not known.
    """

    values: Tensor
    mask: Mask
    seen: Tensor | None = None


class Coding(Protocol):
    """How the values of a task are written.

    Attributes:
        name: as files have it.
        parts: the streams, beside each other, that hold them.
    """

    @property
    def name(self) -> str: ...

    @property
    def parts(self) -> tuple[str, ...]: ...

    def size(self, layer: Owned) -> float:
        """About how many bytes a layer takes; infinite where the coding would change a value."""

    def encode(self, layer: Owned) -> dict[str, list[Bytes]]:
        """What each stream holds of a layer that `size` found possible."""

    def decode(self, streams: Mapping[str, Stream], mask: Mask, dtype: torch.dtype) -> Tensor:
        """The `(n,)` values of a layer, in the type of the pack.

        Raises:
            PackFileError: where a stream is damaged or holds what the coding does not have.
        """


@dataclass(frozen=True, slots=True)
class Floats:
    """Every value as a float of some type, in byte planes."""

    name: str

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(f"values.{place}" for place in range(FLOATS[self.name].itemsize))

    def size(self, layer: Owned) -> float:
        exact = layer.values.to(FLOATS[self.name]).to(layer.values.dtype)
        if not torch.equal(exact, layer.values):
            return math.inf
        return len(layer.values) * FLOATS[self.name].itemsize

    def encode(self, layer: Owned) -> dict[str, list[Bytes]]:
        split = planes.split(layer.values.to(FLOATS[self.name]))
        return {part: [plane] for part, plane in zip(self.parts, split, strict=True)}

    def decode(self, streams: Mapping[str, Stream], mask: Mask, dtype: torch.dtype) -> Tensor:
        count = mask.count
        split = [streams[part].take(count) for part in self.parts]
        return planes.join(split, FLOATS[self.name]).to(dtype)


@dataclass(frozen=True, slots=True)
class Int8:
    """Whole numbers from -127 to 127, times a scale for each output channel.

    The largest value that the task owns in a channel, or that it sees there, is 127 scales.
    """

    name: str = "int8"
    parts: tuple[str, ...] = (TABLES, "values.0")

    def size(self, layer: Owned) -> float:
        if _negative_zero(layer.values):
            return math.inf
        if self._divided(layer) is None:
            return math.inf
        return len(layer.values) + len(layer.mask.rows) * layer.values.element_size()

    def encode(self, layer: Owned) -> dict[str, list[Bytes]]:
        divided = self._divided(layer)
        assert divided is not None  # `size` has seen to it
        scales, whole = divided
        return {TABLES: [planes.raw(scales)], "values.0": [planes.raw(whole.to(torch.int8))]}

    def decode(self, streams: Mapping[str, Stream], mask: Mask, dtype: torch.dtype) -> Tensor:
        table = streams[TABLES].take(len(mask.rows) * dtype.itemsize)
        scales = planes.values_of(table, dtype)
        octets = streams["values.0"].take(mask.count).view(np.int8)
        if octets.size and octets.min() < -127:
            raise PackFileError(
                f"stream {streams['values.0'].name!r} holds -128, and whole numbers are from -127 "
                "to 127; make the file again"
            )
        whole = torch.from_numpy(octets)
        return whole.to(dtype) * scales.repeat_interleave(mask.rows)

    def _divided(self, layer: Owned) -> tuple[Tensor, Tensor] | None:
        """The scale of each channel and how often it is taken; None where no scale is exact.

        A channel's scale follows from what the task owns there, or else from what it sees.
        """
        rows = layer.mask.rows
        channel = torch.arange(len(rows)).repeat_interleave(rows)
        largest = layer.values.new_zeros(len(rows))
        largest.scatter_reduce_(0, channel, layer.values.abs(), "amax")
        scales = largest / 127
        whole, exact = _whole(layer.values, scales[channel])
        if layer.seen is not None and not bool(exact.all()):
            fits = torch.ones(len(rows), dtype=torch.bool)
            fits[channel[~exact]] = False
            scales = torch.where(fits, scales, steps_to(layer.seen))
            whole, exact = _whole(layer.values, scales[channel])
        return (scales, whole) if bool(exact.all()) else None


@dataclass(frozen=True, slots=True)
class Codebook:
    """Indices into a list of at most 2 ** bits values, one list for each layer."""

    bits: int

    @property
    def name(self) -> str:
        return f"codebook{self.bits}"

    @property
    def parts(self) -> tuple[str, ...]:
        return (TABLES, "values.0")

    @property
    def per_byte(self) -> int:
        """Indices that share a byte."""
        return {1: 8, 2: 4, 3: 2, 4: 2}.get(self.bits, 1)

    def size(self, layer: Owned) -> float:
        table = _few(layer.values, 2**self.bits)
        if table is None:
            return math.inf
        return len(layer.values) / self.per_byte + 1 + len(table) * table.element_size()

    def encode(self, layer: Owned) -> dict[str, list[Bytes]]:
        if not len(layer.values):
            return {}
        table = _few(layer.values, 2**self.bits)
        assert table is not None  # `size` has seen to it
        indices = torch.searchsorted(table, layer.values).to(torch.uint8).numpy()
        padded = np.zeros(-(-len(indices) // self.per_byte) * self.per_byte, np.uint8)
        padded[: len(indices)] = indices
        step = 8 // self.per_byte
        packed = np.zeros(len(padded) // self.per_byte, np.uint8)
        for place in range(self.per_byte):
            packed |= padded[place :: self.per_byte] << (step * place)
        return {
            TABLES: [np.array([len(table) - 1], np.uint8), planes.raw(table)],
            "values.0": [packed],
        }

    def decode(self, streams: Mapping[str, Stream], mask: Mask, dtype: torch.dtype) -> Tensor:
        count = mask.count
        if count == 0:
            return torch.empty(0, dtype=dtype)
        entries = int(streams[TABLES].take(1)[0]) + 1
        if entries > 2**self.bits:
            raise PackFileError(
                f"stream {streams[TABLES].name!r} has {entries} shared values, and {self.name} at "
                f"most {2**self.bits}; make the file again"
            )
        given = planes.values_of(streams[TABLES].take(entries * dtype.itemsize), dtype)
        # An index may say more than the list holds; as NaN it is refused like any other.
        table = torch.full((2**8,), math.nan, dtype=dtype)
        table[:entries] = given
        packed = streams["values.0"].take(-(-count // self.per_byte))
        step = 8 // self.per_byte
        indices = np.empty((len(packed), self.per_byte), np.uint8)
        for place in range(self.per_byte):
            indices[:, place] = (packed >> (step * place)) & (2**step - 1)
        return table[torch.from_numpy(indices.reshape(-1)[:count]).int()]


def codings() -> dict[str, Coding]:
    """Every coding by its name; a codebook of fewer bits comes before one of more."""
    found: list[Coding] = [Codebook(bits) for bits in CODEBOOK_BITS]
    found += [Int8(), *(Floats(name) for name in reversed(FLOATS))]
    return {coding.name: coding for coding in found}


CODINGS = codings()


def smallest(layers: Sequence[Owned], dtype: torch.dtype) -> Coding:
    """The coding that holds the values of all layers exactly in the fewest bytes."""
    sizes: dict[str, float] = {}
    shared = False  # whether a codebook has been found; those of more bits only take more
    for name, coding in CODINGS.items():
        if isinstance(coding, Codebook) and shared:
            continue
        if isinstance(coding, Floats) and FLOATS[name].itemsize > dtype.itemsize:
            continue
        sizes[name] = _total(coding, layers)
        shared = isinstance(coding, Codebook) and sizes[name] < math.inf
    return CODINGS[min(sizes, key=lambda name: sizes[name])]


def _total(coding: Coding, layers: Sequence[Owned]) -> float:
    """The bytes of all layers; not looked at further where one rules the coding out."""
    total = 0.0
    for layer in layers:
        total += coding.size(layer)
        if total == math.inf:
            break
    return total


def _whole(values: Tensor, scales: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest whole numbers of scales, and whether each gives its value back."""
    whole = torch.where(scales > 0, values / scales, 0).round().clamp(-127, 127)
    return whole, (whole * scales).to(values.dtype) == values


def _few(values: Tensor, most: int) -> Tensor | None:
    """The different values in order; None where there are more than `most`."""
    table: Tensor = torch.unique(values[: 16 * most])
    if len(table) > most or _negative_zero(values):
        return None
    while len(table) <= most:
        places = torch.searchsorted(table, values).clamp(max=max(len(table) - 1, 0))
        strangers = values[table[places] != values] if len(table) else values
        if not len(strangers):
            return table
        table = torch.unique(torch.cat([table, strangers[: 16 * most]]))
    return None


def _negative_zero(values: Tensor) -> bool:
    """Whether a zero has a sign, which codings that compare values would lose."""
    return bool(((values == 0) & values.signbit()).any())
