"""What a person sees of a run; always on stderr."""

from __future__ import annotations

import time
from typing import Protocol


class Reporter(Protocol):
    """Told what happens, in order."""

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        """A stage begins, or goes on after `done` of its steps; `status` is where the task is."""

    def advance(self, loss: float) -> None:
        """One more step was made."""

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

    def say(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


class Live:
    """A bar with stage, sparsity, metric, goal and time left, and a line for each result.

    Where stderr is no terminal, plain lines take the bar's place.
    """

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}  loss {task.fields[loss]:.3f}"),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._bar = self._progress.add_task("", total=None, visible=False, loss=0.0)
        self._loss = 0.0
        self._logged = 0.0

    def begin(self, key: str, steps: int, done: int, status: str) -> None:
        self._key, self._steps, self._done, self._loss = key, steps, done, 0.0
        self._started, self._first = time.monotonic(), done
        # Not before there is something to show: an error in between would leave the bar standing.
        self._progress.start()
        self._progress.reset(
            self._bar,
            description=f"{key}  {status}",
            total=steps,
            completed=done,
            visible=steps > 0,
            loss=0.0,
        )

    def advance(self, loss: float) -> None:
        self._done += 1
        self._loss = loss if self._loss == 0.0 else 0.95 * self._loss + 0.05 * loss
        self._progress.update(self._bar, completed=self._done, loss=self._loss)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._logged >= 30:
            left = (now - self._started) / (self._done - self._first) * (self._steps - self._done)
            self._console.print(
                f"{self._key}: {self._done}/{self._steps}  loss {self._loss:.3f}  "
                f"{left / 60:.1f} min left",
                markup=False,
                soft_wrap=True,
            )
            self._logged = now

    def say(self, text: str) -> None:
        self._progress.update(self._bar, visible=False)
        self._console.print(text, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._progress.stop()
