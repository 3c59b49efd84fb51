"""Tasks from their descriptions."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from paenet.errors import suggest
from paenet.tasks.base import Task
from paenet.tasks.classification import Classification
from paenet.tasks.errors import TaskError
from paenet.tasks.identity import Identity
from paenet.tasks.ordinal import Ordinal

KINDS: dict[str, type[Task]] = {task.kind: task for task in (Classification, Ordinal, Identity)}
"""Every kind of task; a new one is one more class here."""


def create(kind: str, name: str, **settings: Any) -> Task:
    """Makes a task: `create("classification", "gender", classes=["female", "male"])`.

    Args:
        kind: one of `KINDS`.
        name: the task's own name.
        settings: what the kind's class documents; `describe()` returns them all.

    Raises:
        TaskError: where the kind or a setting does not exist, is missing or is out of range;
            names it, and the nearest known one.
    """
    if kind not in KINDS:
        raise TaskError(f"task {name!r}: kind: {kind!r} does not exist{suggest(str(kind), KINDS)}")
    known = [field.name for field in fields(KINDS[kind]) if field.name != "name"]
    for key in settings:
        if key not in known:
            raise TaskError(f"task {name!r}: {kind} has no setting {key!r}{suggest(key, known)}")
    if kind == Classification.kind and "classes" not in settings:
        raise TaskError(f"task {name!r}: classes: missing; list the names, e.g. [female, male]")
    return KINDS[kind](name=name, **settings)
