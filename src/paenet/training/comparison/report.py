"""The report of a comparison: written after every run, and gone on with by the next command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

from paenet.files import replacing
from paenet.training.comparison.summary import by_order
from paenet.training.comparison.terms import on_equal_terms
from paenet.training.errors import RunError
from paenet.training.machine import versions
from paenet.training.recipe import Recipe

FILE = "comparison.json"
_ELSEWHERE = "comparison-*.json"  # reports of other machines, put beside it
_NO_MATTER = {"method", "checkpoint_seconds"}


class Report:
    """What is known of every run that a comparison asks for, kept in `folder/comparison.json`.

    A report that is there already is taken up, and so are those of other machines, put beside it as
    `comparison-NAME.json`: what they say of a run holds as long as that run would be the same, even
    where its directory is gone. Runs that are not asked for this time stay in it, apart from the
    others.

    Args:
        folder: of the comparison.
        about: the methods by name: for each `about`, a line on it, and the `rate` that its
            learning rates are multiplied by.
        recipes: what each of them learns: one for every seed and order.
        command, limit: kept in the report.

    Raises:
        RunError: where a file there is no report.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, dict[str, Any]],
        recipes: Sequence[Recipe],
        *,
        command: str | None,
        limit: int | None,
    ) -> None:
        self._path = folder / FILE
        self._about = about
        self._recipes = recipes
        self._command = command
        self._limit = limit
        self._failed: dict[str, dict[str, Any]] = {}
        self._runs: dict[str, dict[str, Any]] = {}
        for path in (*sorted(folder.glob(_ELSEWHERE)), self._path):
            self._runs |= _read(path)

    def knows(self, method: str, recipe: Recipe) -> bool:
        """Whether an earlier command found the outcome of a run."""
        return self._digest(method, recipe) in self._runs

    def learnt(self, method: str, recipe: Recipe, outcome: dict[str, Any]) -> None:
        """Puts a run's outcome into the report."""
        digest = self._digest(method, recipe)
        self._runs[digest] = {"method": method, **_cell(recipe), "digest": digest, **outcome}
        self.write()

    def failed(self, method: str, recipe: Recipe, reason: str) -> None:
        """Puts into the report why there is no outcome."""
        self._failed[self._digest(method, recipe)] = {**_cell(recipe), "reason": reason}
        self.write()

    def document(self) -> dict[str, Any]:
        """The report, as JSON; docs/compare.md describes it."""
        methods, asked = {}, set()
        for name, about in self._about.items():
            digests = [self._digest(name, recipe) for recipe in self._recipes]
            asked |= {*digests}
            runs = [self._runs[digest] for digest in digests if digest in self._runs]
            failed = [self._failed[digest] for digest in digests if digest in self._failed]
            methods[name] = {
                **about,
                "runs": runs,
                "failed": failed,
                "orders": by_order(runs),
            }
        return {
            "kind": "comparison",
            "command": self._command,
            "versions": versions(),
            "limit": self._limit,
            "methods": methods,
            "unasked": [run for digest, run in self._runs.items() if digest not in asked],
        }

    def write(self) -> None:
        """Puts the report into its file, with what another command has put there meanwhile."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._path.with_name(f".{FILE}.lock")), replacing(self._path) as beside:
            self._runs = _read(self._path) | self._runs
            beside.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")

    def _digest(self, method: str, recipe: Recipe) -> str:
        """A hash of all that a run depends on but its data's bytes and the versions."""
        rate = self._about[method]["rate"]
        terms = on_equal_terms(recipe, method, rate)
        # Defaults are no part of it: a report outlives a version that knows more keys.
        same = terms.model_dump_json(exclude_defaults=True, exclude=_NO_MATTER)
        parts = (method, rate, same, self._limit)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:24]


def _cell(recipe: Recipe) -> dict[str, Any]:
    return {"seed": recipe.seed, "order": [plan.name for plan in recipe.tasks]}


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """All runs in a report, by digest; none where there is no report."""
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        asked = [
            {"method": name, **run}
            for name, method in document["methods"].items()
            for run in method["runs"]
        ]
        return {run["digest"]: run for run in (*asked, *document.get("unasked", []))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise RunError(f"{path}: is no report of a comparison; move it away") from None
