"""A whole folder of photographs, aligned by several processes."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

from paenet.datasets.folder import SUFFIXES
from paenet.datasets.locating import stamp
from paenet.faces import worker
from paenet.faces.errors import FacesError
from paenet.faces.framing import Framing
from paenet.faces.record import Entry, Record, settings_of
from paenet.faces.worker import Job, Worker

_TOGETHER = 16  # photographs that a worker takes at a time


@dataclass(frozen=True, slots=True)
class Report:
    """What an alignment came to; all counts are of photographs, over this run and earlier ones.

    Attributes:
        images: in IN.
        aligned: with a face that was cut out.
        crops: faces that were cut out.
        without: path and reason of those that could be read but have none.
        broken: path and reason of those that could not be read.
        done_before: of them all, aligned by an earlier run.
        seconds: that this run took.
        table: `OUT/alignment.csv`.
        gone: crops in OUT of photographs that are no longer in IN.
    """

    images: int
    aligned: int
    crops: int
    without: list[tuple[str, str]]
    broken: list[tuple[str, str]]
    done_before: int
    seconds: float
    table: Path
    gone: list[str]


def align_folder(
    source: str | Path,
    out: str | Path,
    framing: Framing | None = None,
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Cuts the faces out of every image below `source`; keeps the folders' structure.

    What is done is never done again: a second run, or one after a kill, aligns what is missing or
    has changed. A crop is called after its photograph; where two of one folder differ in their
    ending alone, the ending stays in the name. Hidden files and folders are left out.

    Args:
        source: the folder to read.
        out: the folder to write; new, empty, or from a run with the same source and framing.
        framing: how faces are cut out.
        workers: processes, of one thread each; 1 works in this process. More need the caller's
            main module to be importable, as `multiprocessing` says for `spawn`.
        progress: called with (photographs done, photographs in all).

    Raises:
        FacesError: where `source` is no folder or has no images, `out` lies in it or is not from
            such a run, or a worker dies.
        OSError: where the system refuses to read a folder or to write.
    """
    began = time.monotonic()
    source, out, framing = Path(source), Path(out), framing or Framing()
    if workers < 1:
        raise FacesError(f"workers: {workers}; give at least 1")
    _check_places(source, out)
    paths = sorted(_images(source))
    if not paths:
        raise FacesError(f"{source}: no images in it ({', '.join(SUFFIXES)})")
    with Record(out, settings_of(source, framing)) as record:
        targets = _targets(paths)
        jobs = [Job(path, stamp(source / path), targets[path]) for path in paths]
        known = record.entries
        missing = [job for job in jobs if not _is_done(job, known.get(job.path), out, framing)]
        done = len(jobs) - len(missing)
        parts = [missing[at : at + _TOGETHER] for at in range(0, len(missing), _TOGETHER)]
        for entries in _run(parts, source, out, framing, workers):
            record.add(entries)
            done += len(entries)
            if progress is not None:
                progress(done, len(jobs))
        _remove_outdated(out, record)
        return _report(
            [record.entries[path] for path in paths],
            len(jobs) - len(missing),
            time.monotonic() - began,
            record.write_table(paths),
            _gone(out, record, paths),
        )


def _check_places(source: Path, out: Path) -> None:
    if not source.is_dir():
        what = "not a folder" if source.exists() else "there is no such folder"
        raise FacesError(f"{source}: {what}; give the folder with the photographs")
    if Path(os.path.realpath(out)).is_relative_to(os.path.realpath(source)):
        raise FacesError(
            f"{out}: lies in {source}, and crops would be taken for photographs; choose a folder "
            "outside"
        )


def _images(source: Path) -> Iterator[str]:
    """Paths of the images below a folder, with forward slashes."""

    def refuse(error: OSError) -> None:
        raise error

    for folder, folders, files in os.walk(source, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(folder, name)
            # A link that leads nowhere is a broken image; a pipe would be waited for.
            plain = path.is_file() or not path.exists()
            if name.lower().endswith(SUFFIXES) and not name.startswith(".") and plain:
                yield path.relative_to(source).as_posix()


def _targets(paths: list[str]) -> dict[str, str]:
    """The crop of each photograph, without its ending: no two are the same in any letter case."""
    whole: set[str] = set()
    while True:
        targets = {
            path: path if path in whole else str(PurePosixPath(path).with_suffix(""))
            for path in paths
        }
        counts = Counter(target.casefold() for target in targets.values())
        clashing = {path for path in paths if counts[targets[path].casefold()] > 1}
        if clashing <= whole:
            return targets
        whole |= clashing


def _is_done(job: Job, entry: Entry | None, out: Path, framing: Framing) -> bool:
    # What made a file unreadable may have passed: a permission, too little memory.
    if entry is None or entry.broken or tuple(entry.stamp) != job.stamp:
        return False
    numbers = (f"_{n}" if framing.faces == "all" else "" for n in range(len(entry.cuts)))
    return all(
        cut.crop == f"{job.target}{number}.{framing.format}" and (out / cut.crop).is_file()
        for cut, number in zip(entry.cuts, numbers, strict=True)
    )


def _run(
    parts: list[list[Job]], source: Path, out: Path, framing: Framing, workers: int
) -> Iterator[list[Entry]]:
    """The entries of every part, as they come."""
    workers = min(workers, len(parts))
    if workers <= 1:
        if parts:
            yield from map(Worker(source, out, framing).align, parts)
        return
    pool = ProcessPoolExecutor(workers, get_context("spawn"), worker.begin, (source, out, framing))
    try:
        for future in as_completed([pool.submit(worker.align, part) for part in parts]):
            yield future.result()
    except BrokenProcessPool:
        raise FacesError(
            "a worker died, perhaps for want of memory; what was done is kept: run the same "
            "command again, with fewer workers"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)


def _remove_outdated(out: Path, record: Record) -> None:
    """Crops of photographs that have changed since, and that nothing took the place of.

    Of whichever run: an earlier one may have been cut off before it came to this.
    """
    kept = {cut.crop for entry in record.entries.values() for cut in entry.cuts}
    for crop in record.crops - kept:
        (out / crop).unlink(missing_ok=True)


def _gone(out: Path, record: Record, paths: list[str]) -> list[str]:
    """Crops that are there of photographs that are not: moved to another folder, for example."""
    present = set(paths)
    crops = (
        cut.crop
        for path, entry in record.entries.items()
        if path not in present
        for cut in entry.cuts
    )
    return sorted(crop for crop in crops if (out / crop).is_file())


def _report(
    entries: list[Entry], done_before: int, seconds: float, table: Path, gone: list[str]
) -> Report:
    empty = [entry for entry in entries if not entry.cuts]
    return Report(
        images=len(entries),
        aligned=len(entries) - len(empty),
        crops=sum(len(entry.cuts) for entry in entries),
        without=[_told(entry) for entry in empty if not entry.broken],
        broken=[_told(entry) for entry in empty if entry.broken],
        done_before=done_before,
        seconds=seconds,
        table=table,
        gone=gone,
    )


def _told(entry: Entry) -> tuple[str, str]:
    """Path and reason, fit to be printed: a name may be no Unicode."""
    return entry.path.encode("utf-8", "backslashreplace").decode(), str(entry.reason)
