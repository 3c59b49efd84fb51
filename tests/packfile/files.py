"""Small packs, and files of them that were changed with a valid digest, as an attacker would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paenet.packfile import BackboneSpec, container, write
from paenet.packing import Pack
from tests.packing.networks import Promise, batch_norm, packed, teach

SPEC = BackboneSpec("tests.packing.networks:batch_norm")
ABOUT = {"input": {"size": 8, "mean": 0.0, "scale": 1.0}, "weights": None}

Change = Callable[[dict[str, Any], dict[str, Tensor]], None]


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


def tiny() -> Pack:
    """Two tasks on a backbone that is one linear layer of four weights."""
    pack = Pack(nn.Linear(2, 2))
    for name in ("a", "b"):
        learner = pack.learn(name, head=nn.Identity())
        learner.prune(to=0.5)
        learner.freeze()
    return pack


def saved(pack: Pack, folder: Path, spec: BackboneSpec = SPEC) -> Path:
    path = folder / "pack.pae"
    write(pack, path, backbone=spec, about=ABOUT)
    return path


def changed(path: Path, change: Change) -> Path:
    """The file with its document and tensors changed, and its digest right again."""
    document, tensors = container.decode(path.read_bytes())
    del document["sha256"]
    change(document, tensors)
    container.save(path, document, {name: t.contiguous() for name, t in tensors.items()})
    return path


def same_tensors(one: Pack, other: Pack) -> bool:
    """Whether two packs hold the same weights and owners, bit for bit."""
    return one.layers.keys() == other.layers.keys() and all(
        torch.equal(layer.theta, other.layers[name].theta)
        and torch.equal(layer.owner, other.layers[name].owner)
        for name, layer in one.layers.items()
    )
