"""Small packs, and files of them that were changed with right digests, as an attacker would."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import torch
import zstandard
from torch import Tensor, nn

from paenet.packfile import BackboneSpec, container, write
from paenet.packfile.decoding import contents
from paenet.packfile.encoding import encode
from paenet.packfile.schema import parse
from paenet.packfile.streams import LEVEL, Bytes, Stream, compress
from paenet.packing import Pack, scores_of
from tests.packing.networks import Promise, batch_norm, packed, teach

SPEC = BackboneSpec("tests.packing.networks:batch_norm")
ABOUT = {"input": {"size": 8, "mean": 0.0, "scale": 1.0}, "weights": None}

Document = dict[str, Any]
Tensors = dict[str, Tensor]
Frames = dict[str, bytes]
Change = Callable[[Document, Tensors], None]


def grown(builder: Callable[[float], nn.Module] = batch_norm) -> tuple[Pack, Promise]:
    """Three tasks at three widths, of which two see older ones, and a hole where a fourth was."""
    pack, promise = packed(builder), Promise()
    teach(pack, "base")
    teach(pack, "gone", sees="none")
    for name, sees, width in (("age", "base", 1.5), ("mood", ["age"], 2.0)):
        learner = pack.learn(name, head=nn.Linear(6, 2), sees=sees)
        learner.widen(width)
        learner.prune(to=0.5)
        learner.freeze()
    pack.remove("gone")
    for name in pack.tasks:
        promise.make(pack, name)
    return pack, promise


def pick(pack: Pack, name: str, width: float | None = None, **arguments: Any) -> None:
    """A task that uses a random half of the weights that it sees."""
    learner = pack.learn(name, picks=True, **{"head": nn.Linear(6, 2), **arguments})
    if width is not None:
        (learner.widen if width > 1 else learner.narrow)(width)
    learner.prune(to=0.5)
    for scores in scores_of(learner):
        scores.data[torch.rand(scores.shape) < 0.5] = 0.0
    learner.freeze()


def tiny() -> Pack:
    """Two tasks on a backbone that is one linear layer of four weights."""
    pack = Pack(nn.Linear(2, 2))
    for name in ("a", "b"):
        learner = pack.learn(name, head=nn.Identity())
        learner.prune(to=0.5)
        learner.freeze()
    return pack


class Scaled(nn.Module):
    """A head that a file cannot describe."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def on_grid(pack: Pack, name: str, grid: Callable[[Tensor], Tensor]) -> None:
    """Puts a grid's values for the weights of a task; it and those that see it become others."""
    for layer in pack.layers.values():
        mine = layer.owner == pack.tasks[name].slot
        layer.theta[mine] = grid(torch.where(mine, layer.theta, 0))[mine]
    for task in pack.tasks.values():
        if name in (task.name, *task.sees):
            task.fingerprint = None


def saved(pack: Pack, folder: Path, spec: BackboneSpec = SPEC) -> Path:
    path = folder / "pack.pae"
    write(pack, path, backbone=spec, about=ABOUT)
    return path


def decoded(path: Path) -> tuple[Document, Tensors]:
    """What a file says, without its digests, and its tensors as `docs/format.md` names them."""
    with container.opened(path) as archive:
        tensors = contents(archive, parse(archive.document)).everything()
    return _bare(archive.document), tensors


def changed(path: Path, change: Change) -> Path:
    """The file with its document and tensors changed, and codings and digests right again."""
    document, tensors = decoded(path)
    records = {task["slot"]: task for task in document["tasks"]}
    codings = {slot: dict(task["codings"]) for slot, task in records.items()}
    slots = {task["name"]: slot for slot, task in records.items()}
    picking = [slot for slot, task in records.items() if task.get("picks")]
    sees = {s: [slots[n] for n in records[s]["sees"]] if s in picking else [] for s in records}
    change(document, tensors)
    streams, found = encode(tensors, sees, picking, LEVEL)
    for slot, task in records.items():
        if task.get("codings") == codings[slot]:
            task["codings"] = asdict(found[slot])
    container.save(path, document, streams)
    return path


def reframed(path: Path, change: Callable[[Document, Frames], None]) -> Path:
    """The file with its document and the frames of its streams changed, and digests right again."""
    document, frames = taken_apart(path)
    change(document, frames)
    container.save(path, document, frames)
    return path


def taken_apart(path: Path) -> tuple[Document, Frames]:
    """What a file says, without its digests, and the frames of its streams."""
    with container.opened(path) as archive:
        data = path.read_bytes()
        frames = {name: data[a : a + length] for name, (a, length) in archive.places.items()}
    return _bare(archive.document), frames


def with_float(path: Path, stream: str, value: float) -> Path:
    """The file with the first float32 of some byte planes changed."""
    bits = np.float32(value).view(np.uint32)
    turned = ((bits << np.uint32(1)) | (bits >> np.uint32(31))).tobytes()

    def change(document: Document, frames: Frames) -> None:
        for place, octet in enumerate(turned):
            name = f"{stream}.{place}"
            frames[name] = frame(bytes([octet]) + content(frames[name])[1:])

    return reframed(path, change)


def frame(content: bytes) -> bytes:
    """A stream of that content."""
    return compress([np.frombuffer(content, np.uint8)])


@contextmanager
def stream_of(data: bytes, name: str = "it") -> Iterator[Stream]:
    """What a reader makes of a frame."""
    with TemporaryFile(buffering=0) as file:
        file.write(data)
        yield Stream(name, file.fileno(), 0, len(data))


@contextmanager
def streams_of(parts: Mapping[str, Iterable[Bytes]]) -> Iterator[dict[str, Stream]]:
    """What a reader makes of some streams, by name; each must end where the reader stops."""
    with ExitStack() as stack:
        found = {
            name: stack.enter_context(stream_of(compress(arrays), name))
            for name, arrays in parts.items()
        }
        yield found
        for stream in found.values():
            stream.end()


def content(stream: bytes) -> bytes:
    """What is in a stream."""
    return zstandard.ZstdDecompressor().decompress(stream)


def same_tensors(one: Pack, other: Pack) -> bool:
    """Whether two packs hold the same weights and owners, bit for bit."""
    return one.layers.keys() == other.layers.keys() and all(
        torch.equal(layer.theta, other.layers[name].theta)
        and torch.equal(layer.owner, other.layers[name].owner)
        for name, layer in one.layers.items()
    )


def _bare(document: Document) -> Document:
    return {key: value for key, value in document.items() if key not in ("sha256", "digests")}
