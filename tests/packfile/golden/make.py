"""Made the files beside it, once: python -m tests.packfile.golden.make

They are never made again: a version that cannot read them has broken its users. A new coding gets a
file of its own, and a line in `expected.json`.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from paenet.packfile import BackboneSpec, write
from paenet.packing import Pack, scores_of
from tests.packfile.files import decoded, on_grid
from tests.packfile.grids import GRIDS
from tests.packfile.stranger import Stranger

HERE = Path(__file__).parent
EXPECTED = HERE / "expected.json"
IMAGES = torch.zeros(1, 3, 8, 8)


def dense(width: float) -> nn.Module:
    """One that has norms and slopes."""
    hidden = round(24 * width)
    return nn.Sequential(
        nn.Linear(10, hidden), nn.BatchNorm1d(hidden), nn.PReLU(), nn.Linear(hidden, 4)
    )


def grouped(width: float) -> nn.Module:
    """One in which channels move about as the network widens."""
    inner = 2 * round(3 * width)
    return nn.Sequential(
        nn.Conv2d(3, inner, 3, bias=False),
        nn.BatchNorm2d(inner),
        nn.Conv2d(inner, inner, 3, groups=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(inner, 4),
    )


Made = tuple[Pack, Callable[[float], nn.Module]]


def learnt(pack: Pack, name: str, *, dtype: torch.dtype = torch.float32, **arguments: Any) -> None:
    """A task that was not trained, but pruned."""
    learner = pack.learn(name, head=nn.Linear(4, 2).to(dtype), **arguments)
    learner.prune(to=0.6)
    learner.freeze()


def of_grids(*grids: str) -> Made:
    """A task for each coding; the norms and heads of all but the first need few bits."""
    pack = Pack(dense)
    for name in grids:
        learnt(pack, name, sees="none")
        on_grid(pack, name, GRIDS[name])
    for name, task in pack.tasks.items():
        for tensor in (*task.private.values(), *task.head.state_dict().values()):
            if tensor.is_floating_point():
                values = torch.rand_like(tensor)
                tensor.copy_(values if name == grids[0] else values.bfloat16())
    return pack, dense


def of_doubles() -> Made:
    """Another type than float32 throughout, and a task that uses the first's norms."""
    pack = Pack(lambda width: dense(width).double())
    learnt(pack, "first", dtype=torch.float64)
    learnt(pack, "second", dtype=torch.float64, norms="base")
    for name in pack.tasks:
        on_grid(pack, name, torch.rand_like)
    return pack, dense


def of_widths() -> Made:
    """Three widths, a hole where a task was, and tasks that see others."""
    pack = Pack(grouped, example=IMAGES)
    learnt(pack, "base")
    learnt(pack, "gone", sees="none")
    for name, width, sees in (("wide", 1.4, "base"), ("wider", 2.0, ["wide"])):
        learner = pack.learn(name, head=nn.Sequential(nn.Linear(4, 3), nn.PReLU()), sees=sees)
        learner.widen(width)
        learner.prune(to=0.5)
        learner.freeze()
        on_grid(pack, name, torch.rand_like)
    pack.remove("gone")
    return pack, grouped


def of_stems() -> Made:
    """Tasks that are the base's own up to some layer, whatever they see above."""
    pack = Pack(dense, example=torch.zeros(1, 10))
    learnt(pack, "base")
    learnt(pack, "all", sees="all", stem="0")
    learnt(pack, "head", sees="all", stem="3")
    for name in ("base", "all"):
        on_grid(pack, name, torch.rand_like)
    return pack, dense


def of_picks() -> Made:
    """Tasks that use a part of what they see: at another width, above a stem, and nothing else."""
    pack = Pack(grouped, example=IMAGES)
    learnt(pack, "base")
    on_grid(pack, "base", torch.rand_like)
    for name, width, arguments in (
        ("stem", None, {"sees": "all", "stem": "0"}),
        ("wide", 1.4, {"sees": "all"}),
        ("piggyback", None, {"claims": "none"}),
        ("small", 0.7, {"sees": "all"}),
    ):
        learner = pack.learn(name, head=nn.Linear(4, 2), picks=True, **arguments)
        if width is not None:
            (learner.widen if width > 1 else learner.narrow)(width)
        learner.prune(to=0.5)
        for scores in scores_of(learner):
            scores.data[torch.rand(scores.shape) < 0.4] = 0.0
        learner.freeze()
        on_grid(pack, name, torch.rand_like)
    return pack, grouped


FILES: dict[str, Callable[[], Made]] = {
    "floats": lambda: of_grids("float32", "bfloat16", "float16"),
    "int8": lambda: of_grids("int8"),
    "codebooks": lambda: of_grids("codebook5", "codebook3", "codebook2", "codebook1"),
    "doubles": of_doubles,
    "widths": of_widths,
    "stems": of_stems,
    "picks": of_picks,
}


def digest(tensor: Tensor) -> str:
    """Of a tensor's type, shape and bytes."""
    octets = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
    return hashlib.sha256(f"{tensor.dtype} {list(tensor.shape)} ".encode() + octets).hexdigest()


def make(name: str) -> dict[str, Any]:
    """Makes a file; what must be found in it for ever."""
    torch.manual_seed(0)
    pack, build = FILES[name]()
    for task in pack.tasks.values():
        task.notes = {"goal": {"within": 0.01}, "classes": ["zwölf", "★"]}
    path = HERE / f"{name}.pae"
    write(pack, path, backbone=BackboneSpec(f"golden:{build.__name__}"), about={"made": "once"})
    stranger = Stranger(path.read_bytes())
    fingerprints = {task["name"]: stranger.fingerprint(task) for task in stranger.document["tasks"]}
    assert fingerprints == {task: pack.fingerprint(task) for task in pack.tasks}
    document, tensors = decoded(path)
    return {
        "codings": {task["name"]: task["codings"] for task in document["tasks"]},
        "fingerprints": fingerprints,
        "tensors": {key: digest(tensors[key]) for key in sorted(tensors)},
    }


if __name__ == "__main__":
    expected = json.loads(EXPECTED.read_text(encoding="utf-8"))
    new = [name for name in FILES if name not in expected]
    if not new:
        sys.exit(f"{EXPECTED} has every file: golden files are made once")
    expected |= {name: make(name) for name in new}
    EXPECTED.write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8")
