"""`pae add` and `pae init`: a pack without a whole recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from torch import nn

from paenet import packfile, tasks
from paenet.packing import Pack, PackingError
from paenet.training.algorithm import add_task, check_material
from paenet.training.base import base_of_pack, base_of_recipe
from paenet.training.errors import RunError
from paenet.training.locking import changing
from paenet.training.recipe import (
    Backbone,
    parse_addition,
    parse_recipe,
    place_weights,
    read_document,
)
from paenet.training.records import Reporter
from paenet.training.run import open_session


def init(
    path: str | Path,
    backbone: str,
    *,
    weights: str | None = None,
    name: str = "base",
    release: float = 0.0,
    seed: int = 0,
) -> Pack:
    """Writes a pack whose first task is a given network, dense.

    Args:
        path: of the new file.
        backbone: a backbone's name.
        weights: a name or file of trained weights; None for random ones.
        name: of the task; it is an embedding that says what the network says.
        release: the share of its smallest weights to free for later tasks right away, without
            retraining; `run` does better, since it retrains.

    Raises:
        RunError: where the file exists.
        BackboneError, WeightsError: as `base_of_recipe`.
    """
    path = Path(path)
    if path.exists():
        raise RunError(f"{path}: exists already; remove it, or choose another name")
    source = None if weights is None else place_weights(weights, Path())
    plan = {"name": name, "kind": "identity", "data": {}, "goal": {"at_least": 0}}
    recipe = parse_recipe(
        {"backbone": backbone, "weights": source, "tasks": [plan], "seed": seed}, name="init"
    )
    base = base_of_recipe(recipe)
    pack = base.pack()
    learner = pack.learn(name, head=nn.Identity())
    learner.prune(to=release)
    task = learner.freeze()
    description = tasks.create("identity", name).describe()
    task.notes = {"task": description, "goal": None, "validation": None, "method": "pae"}
    packfile.write(pack, path, backbone=base.spec, about=base.about())
    return pack


def add(
    path: str | Path,
    plan: str | Path,
    *,
    weights: str | None = None,
    backbone: str | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    limit: int | None = None,
    cache: Path | None = None,
    reporter: Reporter | None = None,
) -> Path:
    """Learns one more task into a pack file; killed and called again, it goes on where it was.

    Args:
        path: of the pack.
        plan: of a YAML file with the keys of one task of a recipe; beside them may stand the
            recipe's own `method`, `norms`, `precision`, `seed`, `activations`,
            `checkpoint_seconds`, `input.augment` and `input.max_broken`.
        weights: the dense network's file, at whose values free weights then begin; needed where
            the goal is `within` a reference or the task imitates a teacher.
        backbone: `module:callable` that builds the network, where the file names code of your own.
        heads: as `paenet.packfile.read` takes them.

    Returns:
        The directory with the record of this addition: `NAME.TASK.run` beside the pack.

    Raises:
        RunError: where the pack has such a task already, or another command is changing it.
    """
    path = Path(path)
    with changing(path):
        held = packfile.read(path, backbone=packfile.own_builder(path, backbone), heads=heads)
        recipe = parse_addition(
            read_document(Path(plan)),
            Backbone(name=held.spec.name, arguments=held.spec.arguments),
            name=str(plan),
            folder=Path(plan).parent,
        )
        task, folder = recipe.tasks[0], _run_folder(path, recipe.tasks[0].name)
        if task.name in held.pack.tasks and not folder.exists():
            raise RunError(
                f"{path}: has a task {task.name!r} already; remove it, or choose another name"
            )
        source = None if weights is None else place_weights(weights, Path())
        base = base_of_pack(held.spec, held.about, source, recipe.seed, path, code=backbone)
        with open_session(
            recipe, folder, base, limit=limit, cache=cache, reporter=reporter
        ) as session:
            check_material(session, base, task, first=not held.pack.tasks)
            add_task(session, base, task, held.pack, path)
    return folder


def remove(
    path: str | Path,
    name: str,
    *,
    backbone: str | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> None:
    """Frees a task's weights in a pack file.

    The record of its addition is kept, under another name.

    Args:
        path: of the pack.
        name: of the task.
        backbone, heads: as for `add`.

    Raises:
        RunError: where the task is unknown, another one uses it, or another command is changing
            the pack.
    """
    path = Path(path)
    with changing(path):
        held = packfile.read(path, backbone=packfile.own_builder(path, backbone), heads=heads)
        try:
            held.pack.remove(name)
        except PackingError as error:
            raise RunError(f"{path}: {error}") from None
        # A pack made in Python may have such names, which `add` never took.
        folder = None if "/" in name else _run_folder(path, name)
        with _put_aside(folder):
            packfile.write(held.pack, path, backbone=held.spec, about=held.about)


@contextmanager
def _put_aside(folder: Path | None) -> Iterator[None]:
    """Renames a folder, if there is one, and back where the body fails.

    First: after a kill in between, a record of what is still in the pack can be done without, and
    one of what is no longer there would be in the way of adding it again.
    """
    if folder is None or not folder.exists():
        yield
        return
    names = (folder.with_suffix(f".removed-{number}") for number in count(1))
    aside = folder.rename(next(free for free in names if not free.exists()))
    try:
        yield
    except BaseException:
        aside.rename(folder)
        raise


def _run_folder(path: Path, task: str) -> Path:
    """Where the record of adding a task is kept."""
    return path.with_name(f"{path.stem}.{task}.run")
