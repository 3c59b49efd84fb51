"""A run's directory: its recipe, its record, and the lock that keeps a second run out."""

from __future__ import annotations

import hashlib
import json
import os
import time
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from filelock import FileLock, Timeout

from paenet.files import replacing
from paenet.training.errors import RunError
from paenet.training.recipe import Recipe, dump_recipe

RECORD = "record.jsonl"
"""What a run has done so far, in its directory."""

RECIPE = "recipe.yaml"
"""The full recipe, in a run's directory."""

CHECKPOINT = "checkpoint.safetensors"
"""The stage that is under way, in its directory."""

_LATER_FACTS = ("weights",)  # which a record of an early version does not have


class Journal:
    """What a run has done so far: one JSON line per finished stage, in `record.jsonl`.

    A stage that is on record is never run again: its result is read from here, so that a run
    started again takes the same decisions without computing anything twice. Results are kept
    under a key such as `gender/prune-2` and count for the plan of that task alone: when a task
    that is not yet in the pack is planned anew, its stages are run anew.

    Args:
        folder: the run's directory; made where absent.
        recipe: what is run.
        facts: what else the results depend on, such as `limit`.
        writes: whether this process keeps the record (one of several does).

    Raises:
        RunError: where another run is at work here, the directory holds another recipe's run that
            has come to something, or nothing can be written.
    """

    def __init__(
        self, folder: Path, recipe: Recipe, facts: dict[str, Any], *, writes: bool = True
    ) -> None:
        self.folder = folder
        self.writes = writes
        self._recipe = recipe
        self._facts = facts
        self._lock = FileLock(folder / ".lock")
        self._done: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Journal:
        if self.writes:
            self._acquire()
        try:
            self._read()
            self._keep_order()
            if self.writes:
                self._adopt_recipe()
                for leftover in self.folder.glob(".*.tmp"):  # of writings that were killed
                    leftover.unlink(missing_ok=True)
        except BaseException:
            if self.writes:
                self._lock.release()
            raise
        return self

    def _acquire(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"{self.folder}: another run is at work here; wait for it, or choose another "
                "directory"
            ) from None
        except OSError as error:
            raise RunError(_unwritable(self.folder, error)) from None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.writes:
            self._lock.release()

    @property
    def record(self) -> Path:
        return self.folder / RECORD

    def result(self, key: str) -> dict[str, Any] | None:
        """The result on record for `key`; None where it is still to be had."""
        entry = self._done.get(key)
        return entry if entry is not None and entry["plan"] == self.plan(key) else None

    def write(self, key: str, **result: Any) -> dict[str, Any]:
        """Puts a result on record, flushed to the disk."""
        entry = {"key": key, "plan": self.plan(key), "time": round(time.time(), 3), **result}
        if self.writes:
            try:
                with self.record.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(entry) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise RunError(_unwritable(self.record, error)) from None
        self._done[key] = entry
        return entry

    def keys(self, task: str) -> list[str]:
        """What is on record of a task, oldest first."""
        return [key for key in self._done if key.startswith(f"{task}/")]

    def plan(self, key: str) -> str:
        """A short hash of the plan of the task that `key` is about.

        Defaults are no part of it: a run outlives a version that knows more keys.
        """
        name = key.partition("/")[0]
        plans = [
            task.model_dump_json(exclude_defaults=True)
            for task in self._recipe.tasks
            if task.name == name
        ]
        return hashlib.sha256("".join(plans).encode()).hexdigest()[:12]

    def _read(self) -> None:
        if not self.record.exists():
            return
        entries, whole = _parse(self.record)
        self._done = {entry["key"]: entry for entry in entries}
        if self.writes:
            os.truncate(self.record, whole)  # what a kill cut off; the stage is done again

    def _keep_order(self) -> None:
        """Takes keys in the order in which they were first given: it is part of a plan's hash.

        A tool that sorts a recipe's keys changes nothing of what is learnt.
        """
        try:
            document = yaml.safe_load((self.folder / RECIPE).read_text(encoding="utf-8"))
            kept = Recipe.model_validate({k: v for k, v in document.items() if k != "run"})
        except (OSError, yaml.YAMLError, ValueError, TypeError, AttributeError):
            return  # there is none, or it is damaged, which will be told
        first = {task.name: task for task in kept.tasks}
        tasks = tuple(
            first[task.name] if first.get(task.name) == task else task
            for task in self._recipe.tasks
        )
        self._recipe = self._recipe.model_copy(update={"tasks": tasks})

    def _adopt_recipe(self) -> None:
        """Keeps the recipe beside the record; only tasks that are not learnt yet may change.

        A run that has begun and come to nothing is no hindrance: its recipe may have been mended.
        """
        path = self.folder / RECIPE
        now = self._document()
        if path.exists():
            try:
                before = self._completed(yaml.safe_load(path.read_text(encoding="utf-8")))
                difference = _difference(self._settled(before), self._settled(yaml.safe_load(now)))
            except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError):
                raise RunError(
                    f"{path}: is damaged; remove it to go on with the recipe that is given"
                ) from None
            if difference and self.record.exists() and self._done.keys() <= {"run"}:
                (self.folder / CHECKPOINT).unlink(missing_ok=True)  # of the recipe as it was
                os.truncate(self.record, 0)  # it stays: a kill may come before the recipe is kept
                self._done.clear()
            elif difference:
                raise RunError(
                    f"{self.folder}: holds a run of another recipe ({_called(difference)}); choose "
                    "another directory, or the recipe and options that it was started with"
                )
        try:
            with replacing(path) as beside:
                beside.write_text(now, encoding="utf-8")
        except OSError as error:
            raise RunError(_unwritable(path, error)) from None

    def _settled(self, document: dict[str, Any]) -> dict[str, Any]:
        """What of a recipe can no longer change.

        All but the tasks still to be learnt, which come after those that are; and how often work
        is saved, which changes nothing of what comes out.
        """
        learnt = [task["name"] for task in document["tasks"] if self._is_learnt(task["name"])]
        tasks = document["tasks"][: len(learnt)]
        return {**document, "tasks": tasks, "checkpoint_seconds": None}

    def _completed(self, document: dict[str, Any]) -> dict[str, Any]:
        """What an earlier version wrote, with the keys that have come since.

        What is no recipe of today stays as it is: how it differs will be said.
        """
        recipe = {key: value for key, value in document.items() if key != "run"}
        try:
            recipe = yaml.safe_load(dump_recipe(Recipe.model_validate(recipe)))
        except ValueError:
            return document
        since = {key: self._facts[key] for key in _LATER_FACTS if key in self._facts}
        return recipe | {"run": since | document["run"]}

    def _is_learnt(self, task: str) -> bool:
        return any(
            task in key.removesuffix("/learnt").split("+")
            for key in self._done
            if key.endswith("/learnt")
        )

    def _document(self) -> str:
        return dump_recipe(self._recipe) + yaml.safe_dump({"run": self._facts}, sort_keys=False)


def _unwritable(path: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{path}: there is a file in its way; choose another directory"
    return (
        f"{path}: cannot be written ({error.strerror or error}); free some space or give the "
        "permission, or choose another directory"
    )


def _called(difference: str) -> str:
    """A difference in what is no part of a recipe, by the name under which it was given."""
    names = {"run.limit": "--limit", "run.weights": "the weights", "run.rival": "the method"}
    key, colon, values = difference.partition(":")
    return f"{names.get(key, key)}{colon}{values}"


def _difference(before: Any, now: Any, where: str = "") -> str | None:
    """The first key at which two documents differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(k for k in now if k not in before)]:
            found = _difference(before.get(key), now.get(key), f"{where}.{key}".removeprefix("."))
            if found:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list):
        for index, (a, b) in enumerate(zip_longest(before, now)):
            found = _difference(a, b, f"{where}[{index}]")
            if found:
                return found
        return None
    return None if before == now else f"{where}: {_shown(before)} there, {_shown(now)} here"


def _shown(value: Any) -> str:
    if isinstance(value, dict) and "name" in value:
        value = value["name"]
    return "nothing" if value is None else repr(value)


def read_record(folder: str | Path) -> list[dict[str, Any]]:
    """Everything on record in a run's directory, oldest first.

    A line that is being written, or that a kill cut off, is not there yet.

    Raises:
        RunError: where there is no record, or a line is damaged.
    """
    path = Path(folder) / RECORD
    try:
        return _parse(path)[0]
    except OSError as error:
        raise RunError(f"{path}: no record of a run ({error.strerror})") from None


def _parse(path: Path) -> tuple[list[dict[str, Any]], int]:
    """The entries of a record, and how many bytes they are: a kill may have cut off one more."""
    data = path.read_bytes()
    data = data[: data.rfind(b"\n") + 1]
    entries = []
    for number, line in enumerate(data.splitlines(), 1):
        try:
            entry = json.loads(line)
            entries.append({**entry, "key": str(entry["key"]), "plan": str(entry["plan"])})
        except (ValueError, KeyError, TypeError):
            raise RunError(
                f"{path}: line {number} is damaged; remove it and what follows to go on from there"
            ) from None
    return entries, len(data)
