"""What a person sees of a run; always on stderr."""

from __future__ import annotations

import time
from typing import Protocol

PAUSE = 20.0  # seconds between two plain lines


class Reporter(Protocol):
    """Told what happens, in order."""

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        """A stage begins, or goes on after `done` of its steps; `status` is where the task is."""

    def advance(self, loss: float) -> None:
        """One more step was made."""

    def count(self, what: str, done: int, total: int) -> None:
        """So much is done of something that takes time and is no training."""

    def say(self, text: str) -> None:
        """Something happened that a person wants to know; plain text, one line."""

    def close(self) -> None:
        """The run is over."""


class Silent:
    """Says nothing."""

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        pass

    def advance(self, loss: float) -> None:
        pass

    def count(self, what: str, done: int, total: int) -> None:
        pass

    def say(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Live:
    """A bar with stage, sparsity, metric, goal and time left, and a line for each result.

    Where stderr is no terminal, a plain line now and then takes the bar's place.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  {task.fields[detail]}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=None, visible=False, detail="")
        self._name = ""
        self._loss = 0.0
        self._logged = 0.0

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        self._loss = 0.0
        self._open(key, steps, done, status)

    def advance(self, loss: float) -> None:
        self._loss = loss if self._loss == 0.0 else 0.95 * self._loss + 0.05 * loss
        self._move(self._done + 1, f"loss {self._loss:.3f}")

    def count(self, what: str, done: int, total: int) -> None:
        if what != self._name or done < self._done:
            self._open(what, total, 0)
        self._move(done)

    def say(self, text: str) -> None:
        self._progress.update(self._bar, visible=False)
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()

    def _open(self, name: str, total: int, done: int, status: str = "") -> None:
        self._name, self._total, self._done = name, total, done
        self._started, self._first = time.monotonic(), done
        # Not before there is something to show: an error in between would leave the bar standing.
        self._progress.start()
        self._progress.reset(
            self._bar,
            description=f"{name}  {status}",
            total=total,
            completed=done,
            visible=total > 0,
            detail="",
        )

    def _move(self, done: int, detail: str = "") -> None:
        self._done = done
        self._progress.update(self._bar, completed=done, detail=detail)
        now = time.monotonic()
        quiet = now - max(self._logged, self._started) < PAUSE
        if self._console.is_terminal or quiet or done == self._first:
            return
        left = (now - self._started) / (done - self._first) * (self._total - done)
        counted = f"{self._name}: {done}/{self._total}  {detail}".rstrip()
        self._console.print(f"{counted}  {left / 60:.1f} min left", markup=False, soft_wrap=True)
        self._logged = now
