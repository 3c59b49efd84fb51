"""From the tensors of a pack to the streams of a file."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from torch import Tensor

from paenet.packfile import blobs, picks, shapes, weights
from paenet.packfile import tensors as named
from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import Bytes, compress
from paenet.packing import PackedLayer
from paenet.packing.widening import Maps

MAPS = "maps"


@dataclass(frozen=True, slots=True)
class Codings:
    """How the values of a task are written; see `docs/format.md`.

    Attributes:
        values: of its weights.
        private: of its norms, biases and slopes.
        head: of its head.
    """

    values: str
    private: str
    head: str


def encode(
    tensors: Mapping[str, Tensor],
    sees: Mapping[int, Collection[int]],
    picking: Collection[int],
    level: int,
    narrower: Mapping[int, Maps] | None = None,
) -> tuple[dict[str, bytes], dict[int, Codings]]:
    """The streams of a file, compressed, and the codings of each task.

    Args:
        tensors: as `paenet.packfile.tensors` names them.
        sees: for the slot of every task, in the order in which they were learnt, the slots of the
            tasks whose weights it uses.
        picking: the slots of the tasks that pick.
        level: of zstandard.
        narrower: for the slot of every task that is narrower than the widest, where its channels
            lie; without it, its values may take more bytes than they need.

    Raises:
        PackFileError: where the weights are of several types.
    """
    parts: dict[str, list[Bytes]] = {shapes.NAME: shapes.encode(listed(tensors))}
    maps = dict(_under(tensors, "outputs.", "inputs."))
    if maps:
        parts[MAPS] = list(blobs.encode_maps(maps))
    codings = {}
    names = named.layers_of(tensors)
    channels = {slot: [maps[name] for name in names] for slot, maps in (narrower or {}).items()}
    encoded = weights.encode(layers_of(tensors), sees, channels)
    for slot, seen in sees.items():
        private, head = (dict(_under(tensors, f"{kind}.{slot}.")) for kind in ("private", "head"))
        found = Codings(encoded[slot].coding, blobs.coding_of(private), blobs.coding_of(head))
        codings[slot] = found
        streams = {
            **encoded[slot].streams,
            "private": list(blobs.encode(private, found.private)),
            "head": list(blobs.encode(head, found.head)),
        }
        if slot in picking:
            streams[picks.PICKS] = picks.encode(tensors, slot, seen)
        parts |= {stream_name(slot, part): arrays for part, arrays in streams.items()}
    with ThreadPoolExecutor() as pool:  # zstandard works without the interpreter's lock
        frames = pool.map(lambda arrays: compress(arrays, level), parts.values())
        return dict(zip(parts, frames, strict=True)), codings


def stream_name(slot: int, part: str) -> str:
    """A task's stream, as files call it."""
    return f"task.{slot}.{part}"


def layers_of(tensors: Mapping[str, Tensor]) -> list[PackedLayer]:
    """Every layer, in the order of their names."""
    names = named.layers_of(tensors)
    layers = [PackedLayer(tensors[named.theta(n)], tensors[named.owner(n)]) for n in names]
    kinds = named.kinds_of(tensors)
    if len(kinds) > 1:
        raise PackFileError(
            f"its weights are of several types ({', '.join(kinds)}); cast them to one"
        )
    return layers


def listed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All but owner maps and picks, which are as their weights."""
    return {name: t for name, t in tensors.items() if not name.startswith(("owner.", "picked."))}


def _under(tensors: Mapping[str, Tensor], *prefixes: str) -> Iterator[tuple[str, Tensor]]:
    return ((name, t) for name, t in tensors.items() if name.startswith(prefixes))
