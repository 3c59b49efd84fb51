"""A reader written from docs/format.md, whose sections it names; it knows nothing of paenet."""

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import zstandard

Array = np.ndarray

TYPES = {"float64": "<f8", "float32": "<f4", "float16": "<f2", "bfloat16": "<u2", "int64": "<i8"}
"""numpy has no bfloat16: here they are their bits."""


class Content:
    """What is in a stream, taken from its start; §2."""

    def __init__(self, frame: bytes) -> None:
        window = zstandard.get_frame_parameters(frame).window_size
        assert window <= 2**23
        self._data = zstandard.ZstdDecompressor().decompress(frame)
        self._place = 0

    def take(self, count: int) -> Array:
        self._place += count
        assert self._place <= len(self._data)
        return np.frombuffer(self._data, np.uint8, count, self._place - count)

    def floats(self, count: int, kind: str) -> Array:
        """As many floats from one stream, plane after plane."""
        return unturned([self.take(count) for _ in range(width_of(kind))], kind)

    def rest(self) -> bytes:
        return self._data[self._place :]


def width_of(kind: str) -> int:
    return np.dtype(TYPES[kind]).itemsize


def unturned(planes: list[Array], kind: str) -> Array:
    """§2: the sign goes back from the lowest bit to the highest."""
    bits = np.stack(planes, axis=-1).reshape(-1).view(f"<u{len(planes)}")
    return ((bits >> 1) | (bits << (8 * len(planes) - 1))).view(TYPES[kind])


def converted(values: Array, kind: str, to: str) -> Array:
    """Floats of one type as those of another, which rounds them at most once."""
    if kind == to:
        return values
    if kind == "bfloat16":
        values = (values.astype("<u4") << 16).view("<f4")
    if to != "bfloat16":
        return values.astype(TYPES[to])
    bits = values.astype("<f4").view("<u4")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")  # to the nearest, or even


class Stranger:
    """A file of which every tensor was found."""

    def __init__(self, data: bytes) -> None:
        end = 8 + int.from_bytes(data[:8], "little")  # §1
        header = json.loads(data[8:end])
        self.document = json.loads(header.pop("__metadata__")["paenet"])
        self.streams = {}
        for name, entry in header.items():
            start, stop = entry["data_offsets"]
            assert (entry["dtype"], entry["shape"]) == ("U8", [stop - start])
            self.streams[name] = data[end + start : end + stop]
        places = sorted(entry["data_offsets"] for entry in header.values())
        assert all(one[1] == next_[0] for one, next_ in pairwise([[0, 0], *places]))
        assert places[-1][1] == len(data) - end
        digest = self.document["sha256"].encode()
        assert data.count(digest, 0, end) == 1
        head = data[:end].replace(digest, b"0" * 64)
        assert hashlib.sha256(head).hexdigest().encode() == digest
        assert self.document["digests"] == {
            name: hashlib.sha256(frame).hexdigest() for name, frame in self.streams.items()
        }
        self.listed = json.loads(Content(self.streams["shapes"]).rest())  # §3
        self.tensors: dict[str, Array] = {}
        self.picked: dict[tuple[int, str], Array] = {}
        self._read_weights()
        self._read_maps()
        for task in self.document["tasks"]:
            for kind in ("private", "head"):
                self._read_blob(f"{kind}.{task['slot']}.", task, kind)

    def _read_weights(self) -> None:
        """§4."""
        tasks = self.document["tasks"]
        slots = {task["name"]: task["slot"] for task in tasks}
        names = sorted(name for name in self.listed if name.startswith("theta."))
        contents = {
            name: Content(frame)
            for name, frame in self.streams.items()
            if name.startswith("task.") and not name.endswith((".private", ".head"))
        }
        for name in names:
            kind, shape = self.listed[name]
            owner = np.zeros(int(np.prod(shape)), np.uint8)
            theta = np.zeros(owner.shape, TYPES[kind])
            layer = name.removeprefix("theta.")
            for task in tasks:
                open_to = np.flatnonzero(owner == 0)
                bits = np.unpackbits(
                    contents[f"task.{task['slot']}.owners"].take(-(-len(open_to) // 8))
                )
                assert not bits[len(open_to) :].any()
                mine = open_to[bits[: len(open_to)] == 1]
                owner[mine] = task["slot"]
                channels = mine // max(int(np.prod(shape[1:])), 1)
                theta[mine] = self._values(task, contents, channels, shape[0], kind)
                if (
                    task.get("picks")
                    and layer not in (task.get("stem") or {"layers": []})["layers"]
                ):
                    seen = np.flatnonzero(np.isin(owner, [slots[other] for other in task["sees"]]))
                    bits = np.unpackbits(
                        contents[f"task.{task['slot']}.picks"].take(-(-len(seen) // 8))
                    )
                    assert not bits[len(seen) :].any()
                    picked = np.zeros(owner.shape, bool)
                    picked[seen] = bits[: len(seen)] == 1
                    self.picked[task["slot"], layer] = picked.reshape(shape)
            self.tensors[name] = theta.reshape(shape)
            self.tensors[f"owner.{layer}"] = owner.reshape(shape)
        assert not any(content.rest() for content in contents.values())

    def _values(
        self, task: dict[str, Any], contents: dict[str, Content], at: Array, out: int, kind: str
    ) -> Array:
        """Of one layer: `at` is the output channel of each."""
        coding, prefix = task["codings"]["values"], f"task.{task['slot']}."
        if coding in TYPES:
            parts = [f"{prefix}values.{place}" for place in range(width_of(coding))]
            planes = [contents[part].take(len(at)) for part in parts]
            return converted(unturned(planes, coding), coding, kind)
        tables, values = contents[f"{prefix}tables"], contents[f"{prefix}values.0"]
        if coding == "int8":
            scales = tables.take(out * width_of(kind)).view(TYPES[kind])
            whole = values.take(len(at)).view(np.int8)
            if kind == "bfloat16":
                scales = converted(scales, kind, "float32")
                return converted(whole.astype("<f4") * scales[at], "float32", kind)
            return whole.astype(TYPES[kind]) * scales[at]
        if not len(at):
            return np.empty(0, TYPES[kind])
        shared = tables.take((int(tables.take(1)[0]) + 1) * width_of(kind)).view(TYPES[kind])
        bits = int(coding.removeprefix("codebook"))
        each = {1: 1, 2: 2, 3: 4, 4: 4}.get(bits, 8)
        packed = values.take(-(-len(at) * each // 8))
        indices = np.stack([packed >> place for place in range(0, 8, each)], axis=1)
        return shared[(indices & (2**each - 1)).reshape(-1)[: len(at)]]

    def _read_blob(self, prefix: str, task: dict[str, Any], part: str) -> None:
        """§5."""
        content = Content(self.streams[f"task.{task['slot']}.{part}"])
        listed = dict(sorted(self._under(prefix, self.listed)))
        for kind in ("float64", "float32", "float16", "bfloat16"):
            mine = {name: shape for name, (its, shape) in listed.items() if its == kind}
            stored = task["codings"][part] if kind == "float32" else kind
            counts = [int(np.prod(shape)) for shape in mine.values()]
            values = converted(content.floats(sum(counts), stored), stored, kind)
            for (name, shape), end in zip(mine.items(), np.cumsum(counts), strict=True):
                self.tensors[name] = values[end - int(np.prod(shape)) : end].reshape(shape)
        for name, (kind, shape) in listed.items():
            if name not in self.tensors:
                count = int(np.prod(shape)) * width_of(kind)
                self.tensors[name] = content.take(count).view(TYPES[kind]).reshape(shape)
        assert not content.rest()

    def _read_maps(self) -> None:
        """§5."""
        listed = sorted(
            (name, shape)
            for name, (_, shape) in self.listed.items()
            if name.startswith(("inputs.", "outputs."))
        )
        if not listed:
            return
        content = Content(self.streams["maps"])
        total = sum(int(np.prod(shape)) for _, shape in listed)
        steps = np.stack([content.take(total) for _ in range(8)], axis=-1).reshape(-1).view("<i8")
        start = 0
        for name, shape in listed:
            end = start + int(np.prod(shape))
            self.tensors[name] = np.cumsum(steps[start:end]).reshape(shape)
            start = end
        assert not content.rest()

    def network(self, task: dict[str, Any]) -> dict[str, Array]:
        """Every tensor of a task's network, §7."""
        slots = {t["name"]: t["slot"] for t in self.document["tasks"]}
        stem = task.get("stem") or {"layers": []}
        found: dict[str, Array] = {}
        for slot in (slots[self.document["base"]], task["slot"]):
            found |= self._under(f"private.{slot}.", self.tensors, cut=True)
        for layer, theta in self._under("theta.", self.tensors, cut=True):
            seen = [self.document["base"]] if layer in stem["layers"] else task["sees"]
            mine = [task["slot"], *(slots[name] for name in seen)]
            owner = self.tensors[f"owner.{layer}"]
            used = np.isin(owner, mine)
            if (task["slot"], layer) in self.picked:
                used &= self.picked[task["slot"], layer] | (owner == task["slot"])
            weight = np.where(used, theta, theta.dtype.type(0))
            if task["width"] < len(self.document["widths"]) - 1:
                outputs = self.tensors[f"outputs.{task['width']}.{layer}"]
                inputs = self.tensors[f"inputs.{task['width']}.{layer}"]
                weight = weight[
                    outputs[:, None], np.broadcast_to(inputs, (len(outputs), inputs.shape[-1]))
                ]
            found[f"{layer}.weight" if layer else "weight"] = weight
        network = {f"backbone.{key}": value for key, value in found.items()}
        head = self._under(f"head.{task['slot']}.", self.tensors, cut=True)
        return network | {f"head.{key}": value for key, value in head}

    def fingerprint(self, task: dict[str, Any]) -> str:
        """§9."""
        types = {np.dtype(TYPES[kind]): kind for kind in TYPES}
        digest = hashlib.sha256(b"paenet-fingerprint-1")
        for name, array in sorted(self.network(task).items()):
            kind = types[array.dtype]
            digest.update(f"\n{name} torch.{kind} {list(array.shape)}\n".encode())
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    @staticmethod
    def _under(prefix: str, found: dict[str, Any], cut: bool = False) -> Iterator[tuple[str, Any]]:
        return (
            (name.removeprefix(prefix) if cut else name, value)
            for name, value in found.items()
            if name.startswith(prefix)
        )
