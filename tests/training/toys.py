"""Runs that take a second: a tiny network, small pictures in a table, recipes to learn them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

from paenet import packfile, training
from paenet.backbones.width import channels
from paenet.packing import Learner
from paenet.tasks import Metric
from paenet.training import Silent
from paenet.training.examples.material import metric_as_json

BACKBONE = "tests.training.toys:tiny"
SIZE = 16
FEATURES = 8
PEOPLE = {"train": 8, "val": 6, "test": 6}
PICTURES = 6  # of each person


class Killed(BaseException):
    """Stands for a kill."""


class Mortal(Silent):
    """Dies after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, loss: float) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def tiny(width: Any = 1.0) -> nn.Module:
    """Half a thousand weights with norms and slopes, which learns a shade in a few steps."""
    a, b = channels(6, width, "0"), channels(8, width, "3")
    return nn.Sequential(
        nn.Conv2d(3, a, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(a),
        nn.PReLU(a),
        nn.Conv2d(a, b, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(b, FEATURES),
    )


def branching(width: Any = 1.0) -> nn.Module:
    """As `tiny`, but with a forward that torch.fx cannot trace."""
    return _Branching(tiny(width))


class _Branching(nn.Module):
    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, images: Tensor) -> Tensor:
        if len(images) == 0:
            raise ValueError("no images")
        return self.layers(images)


def table(folder: Path) -> Path:
    """A table of pictures of "people", each a colour; in dark or light, which is easy to see."""
    draw = np.random.default_rng(0)
    rows = []
    for split, people in PEOPLE.items():
        for person in range(people):
            colour = draw.uniform(0.5, 1.0, 3)
            for picture in range(PICTURES):
                light = picture % 2 == 1
                pixels = (180 if light else 60) * colour + draw.normal(0, 12, (SIZE, SIZE, 3))
                path = f"{split}/{person}-{picture}.png"
                (folder / split).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / path)
                rows.append(
                    {
                        "path": path,
                        "identity": f"{split}-{person}",
                        "shade": "light" if light else "dark",
                        "age": str(70 - 10 * picture) if light else "(4, 6)",
                        "split": split,
                    }
                )
    return write_csv(folder / "faces.csv", rows)


def write_csv(path: Path, rows: list[dict[str, Any]]) -> Path:
    """A CSV of rows with equal keys."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def task(name: str, faces: Path, **keys: Any) -> dict[str, Any]:
    """A task of a recipe: telling dark from light, cheaply, to a goal that anything meets."""
    return {
        "name": name,
        "kind": "classification",
        "settings": {"classes": ["dark", "light"], "label": "shade"},
        "data": {"table": str(faces)},
        "goal": {"at_least": 0.0},
        "budget": {"epochs": 1, "batch": 16, "rate": 0.01},
        "prune": {"to": 0.5, "stages": 2, "epochs": 0.5},
        **keys,
    }


def document(*tasks: dict[str, Any], **keys: Any) -> dict[str, Any]:
    """A recipe as YAML would give it."""
    return {
        "backbone": BACKBONE,
        "input": {"size": SIZE},
        "checkpoint_seconds": 0,
        "tasks": list(tasks),
        **keys,
    }


def recipe(*tasks: dict[str, Any], **keys: Any) -> training.Recipe:
    """A recipe of some tasks on the tiny network."""
    return training.parse_recipe(document(*tasks, **keys), name="toy.yaml")


def fingerprints(path: Path) -> dict[str, str]:
    """Every task of a pack file with its fingerprint, computed anew."""
    pack = packfile.read(path, backbone=tiny).pack
    return {name: pack.fingerprint(name) for name in pack.tasks}


def entries(folder: Path) -> dict[str, dict[str, Any]]:
    """What is on record in a run's directory, by key."""
    record = training.read_record(folder)
    assert len({entry["key"] for entry in record}) == len(record), "a stage is on record twice"
    return {entry["key"]: entry for entry in record}


def pairs(faces: Path, path: Path | None = None) -> Path:
    """A pairs file over the table's test pictures: three folds, of two people each."""
    rows = []
    for fold in range(3):
        a, b = 2 * fold, 2 * fold + 1
        for one, other in ((0, 2), (1, 3), (2, 4), (3, 5)):
            rows.append({"fold": fold, "path_a": f"{a}-{one}", "path_b": f"{a}-{other}", "same": 1})
            rows.append({"fold": fold, "path_a": f"{a}-{one}", "path_b": f"{b}-{other}", "same": 0})
    for row in rows:
        row |= {key: f"test/{row[key]}.png" for key in ("path_a", "path_b")}
    return write_csv(path or faces.parent / "pairs.csv", rows)


def kept(network: nn.Module) -> float:
    """The weights in use by those of the tiny network: a metric that is no accident."""
    whole = sum(p.numel() for p in tiny().parameters() if p.dim() > 1)
    if isinstance(network, Learner):
        return network.weights / whole
    weights = [p for p in network.get_submodule("backbone").parameters() if p.dim() > 1]
    return sum(int((p != 0).sum()) for p in weights) / whole


def measured(value: float) -> dict[str, dict[str, Any]]:
    """A measurement as a record has it."""
    return {"accuracy": metric_as_json(Metric(value, value, value, 1, "share"))}
