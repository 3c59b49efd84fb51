"""Runs side by side: each in a process of its own, as many at a time as there are workers."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

import torch

from paenet.errors import PaenetError
from paenet.training.comparison.course import Course
from paenet.training.errors import RunError
from paenet.training.machine import keep_freed_memory
from paenet.training.records import Reporter, Silent
from paenet.workers import become_worker

Outcomes = list[dict[str, Any]]
_PROCESSES = get_context("spawn")
_KILLED = "its process was killed, perhaps for want of memory; run it again with fewer workers"


def finished(
    courses: Sequence[Course], workers: int, reporter: Reporter
) -> Iterator[tuple[Course, Outcomes | PaenetError]]:
    """Runs, each with its outcomes or with why there are none, as they come to their ends.

    Args:
        workers: how many run at a time, in processes that share this one's threads; with one they
            run here, one after another.
        reporter: is told of every step of a run that runs here, and of the results of others.

    Raises:
        OSError: where the system refuses a run something; it ends the others, too.
        RuntimeError: where a run ends in a defect, which its process has printed; likewise.
    """
    if workers == 1:
        for course in courses:
            reporter.say(course.title)
            try:
                yield course, course.outcomes(reporter)
            except PaenetError as error:
                yield course, error
    else:
        yield from _in_processes(courses, workers, reporter)


def _in_processes(
    courses: Sequence[Course], workers: int, reporter: Reporter
) -> Iterator[tuple[Course, Outcomes | PaenetError]]:
    threads = max(1, torch.get_num_threads() // workers)
    waiting = deque(courses)
    running: dict[Connection, tuple[Course, SpawnProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                course = waiting.popleft()
                reporter.say(course.title)
                pipe, process = _start(course, threads)
                running[pipe] = course, process
            for ready in connection.wait(list(running)):
                assert isinstance(ready, Connection)
                course, process = running[ready]
                try:
                    message = ready.recv()
                except EOFError:
                    message = _end_of(course, process)
                if isinstance(message, str):
                    reporter.say(f"{course.title}: {message}")
                    continue
                if isinstance(message, OSError):  # a full disk is full for all of them
                    raise message
                del running[ready]
                process.terminate()  # it is done, and need not take torch down step by step
                process.join()
                yield course, message
    finally:
        for _, process in running.values():  # a run may be killed at any moment
            process.terminate()
            process.join()


def _start(course: Course, threads: int) -> tuple[Connection, SpawnProcess]:
    ours, theirs = _PROCESSES.Pipe(duplex=False)
    process = _PROCESSES.Process(target=_work, args=(course, threads, theirs), daemon=True)
    process.start()
    theirs.close()  # so that its death ends the pipe
    return ours, process


def _end_of(course: Course, process: SpawnProcess) -> RunError:
    """Why a process has ended without a word."""
    process.join()
    if process.exitcode is not None and process.exitcode >= 0:
        raise RuntimeError(f"{course.title}: ended in a defect; its traceback is printed above")
    return RunError(_KILLED)


def _work(course: Course, threads: int, pipe: Connection) -> None:
    """A worker's whole life."""
    become_worker(threads)
    keep_freed_memory()
    try:
        pipe.send(course.outcomes(_Told(pipe)))
    except PaenetError as error:
        pipe.send(RunError(str(error)))  # some errors cannot be sent
    except OSError as error:
        pipe.send(error)


class _Told(Silent):
    """Sends on what a person wants to know."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def say(self, text: str) -> None:
        self._pipe.send(text)
