"""A run's directory: its recipe, its record, and the lock that keeps a second run out."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import yaml
from filelock import FileLock, Timeout

from paenet.files import replacing
from paenet.training.errors import RunError
from paenet.training.recipe import Recipe, dump_recipe


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
        RunError: where another run is at work here, the directory holds another recipe's run, or
            nothing can be written.
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
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._lock.acquire(timeout=0)
            except Timeout:
                raise RunError(
                    f"{self.folder}: another run is at work here; wait for it, or choose "
                    "another --out"
                ) from None
            except OSError as error:
                raise RunError(f"{self.folder}: cannot write there ({error.strerror})") from None
        self._read()
        if self.writes:
            self._adopt_recipe()
        return self

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
        return self.folder / "record.jsonl"

    def result(self, key: str) -> dict[str, Any] | None:
        """The result on record for `key`; None where it is still to be had."""
        entry = self._done.get(key)
        return entry if entry is not None and entry["plan"] == self.plan(key) else None

    def write(self, key: str, **result: Any) -> dict[str, Any]:
        """Puts a result on record, flushed to the disk."""
        entry = {"key": key, "plan": self.plan(key), "time": round(time.time(), 3), **result}
        if self.writes:
            with self.record.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
                file.flush()
                os.fsync(file.fileno())
        self._done[key] = entry
        return entry

    def plan(self, key: str) -> str:
        """A short hash of the plan of the task that `key` is about."""
        name = key.partition("/")[0]
        plans = [task.model_dump_json() for task in self._recipe.tasks if task.name == name]
        return hashlib.sha256("".join(plans).encode()).hexdigest()[:12]

    def _read(self) -> None:
        if not self.record.exists():
            return
        lines = self.record.read_text(encoding="utf-8").split("\n")
        torn = lines.pop()  # what a kill cut off; the stage is done again
        for number, line in enumerate(lines, 1):
            try:
                entry = json.loads(line)
                self._done[entry["key"]] = entry
            except (ValueError, KeyError, TypeError):
                raise RunError(
                    f"{self.record}: line {number} is damaged; remove it and what follows to go "
                    "on from there"
                ) from None
        if torn and self.writes:
            with replacing(self.record) as beside:
                beside.write_text("".join(line + "\n" for line in lines), encoding="utf-8")

    def _adopt_recipe(self) -> None:
        """Keeps the recipe beside the record; only tasks that are not learnt yet may change."""
        path = self.folder / "recipe.yaml"
        now = self._document()
        if path.exists():
            try:
                before = yaml.safe_load(path.read_text(encoding="utf-8"))
                difference = _difference(self._settled(before), self._settled(yaml.safe_load(now)))
            except (yaml.YAMLError, KeyError, TypeError):
                difference = f"its {path.name} is damaged"
            if difference:
                raise RunError(
                    f"{self.folder}: holds a run of another recipe ({difference}); choose another "
                    "--out, or the recipe that it was started with"
                )
        with replacing(path) as beside:
            beside.write_text(now, encoding="utf-8")

    def _settled(self, document: dict[str, Any]) -> dict[str, Any]:
        """What of a recipe can no longer change: all but the tasks still to be learnt."""
        learnt = [task for task in document["tasks"] if f"{task['name']}/learnt" in self._done]
        return {**document, "tasks": learnt}

    def _document(self) -> str:
        return dump_recipe(self._recipe) + yaml.safe_dump({"run": self._facts}, sort_keys=False)


def _difference(before: Any, now: Any, where: str = "") -> str | None:
    """The first key at which two documents differ, with both values."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in [*before, *(k for k in now if k not in before)]:
            found = _difference(before.get(key), now.get(key), f"{where}.{key}".removeprefix("."))
            if found:
                return found
        return None
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for index, (a, b) in enumerate(zip(before, now, strict=True)):
            found = _difference(a, b, f"{where}[{index}]")
            if found:
                return found
        return None
    return None if before == now else f"{where}: {before!r} there, {now!r} here"


def read_record(folder: str | Path) -> list[dict[str, Any]]:
    """Everything on record in a run's directory, oldest first.

    Raises:
        RunError: where there is no record.
    """
    path = Path(folder) / "record.jsonl"
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: no record of a run ({error})") from None
