"""What an alignment has done so far: a line for each photograph, and the table made of them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from paenet.datasets.locating import inside
from paenet.faces.errors import FacesError
from paenet.faces.framing import Framing
from paenet.files import replacing

TABLE = "alignment.csv"
LANDMARKS = ("left_eye", "right_eye", "nose", "mouth_left", "mouth_right")
COLUMNS = (
    *("path", "found", "crop", "left", "top", "right", "bottom", "score"),
    *(f"{name}_{axis}" for name in LANDMARKS for axis in "xy"),
    "reason",
)


@dataclass(frozen=True, slots=True)
class Cut:
    """One face that was cut out: `crop` in OUT, and what the detector said, in pixels."""

    crop: str
    box: list[float]
    score: float
    landmarks: list[list[float]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one photograph.

    Attributes:
        path: in IN, with forward slashes.
        stamp: size in bytes and time of change of the file that was read.
        cuts: the faces that were cut out.
        reason: why there are none; None where there are.
        broken: whether the file could not be read.
    """

    path: str
    stamp: list[int]
    cuts: list[Cut]
    reason: str | None = None
    broken: bool = False


class Record:
    """The lines `OUT/.alignment.jsonl`: the settings, then an entry for each photograph.

    An entry is written after its crops are on the disk, so that whatever is on record is done,
    and whatever a kill cut off is done again. Lines are only ever added.

    Args:
        out: the folder of the crops; made where absent.
        settings: what the crops depend on.

    Attributes:
        entries: by photograph, the last of each.
        crops: of all entries that ever were: those of a photograph that has changed may lie there.

    Raises:
        FacesError: where another alignment is at work in `out`, or what it holds is not from one
            with these settings.
        OSError: where nothing can be written there.
    """

    def __init__(self, out: Path, settings: dict[str, Any]) -> None:
        self.entries: dict[str, Entry] = {}
        self.crops: set[str] = set()
        self._holders: dict[str, str] = {}  # by crop, its photograph
        self._out = out
        self._file = out / ".alignment.jsonl"
        self._settings = settings
        self._lock = FileLock(out / ".alignment.lock")

    def __enter__(self) -> Record:
        self._out.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise FacesError(
                f"{self._out}: another alignment is at work here; wait for it, or choose another "
                "folder"
            ) from None
        try:
            self._begin()
        except BaseException:
            self._lock.release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def add(self, entries: Iterable[Entry]) -> None:
        """Puts entries on record, flushed to the disk."""
        new = list(entries)
        self._append(asdict(entry) for entry in new)
        self._note(new)

    def write_table(self, paths: Iterable[str]) -> Path:
        """Writes `OUT/alignment.csv` of some photographs: a row for each crop, or for none."""
        table = self._out / TABLE
        with (
            replacing(table) as beside,
            # A name that is no Unicode is shown with the bytes it has.
            beside.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
        ):
            rows = csv.writer(file)
            rows.writerow(COLUMNS)
            for path in paths:
                rows.writerows(_rows(self.entries[path]))
        return table

    def _begin(self) -> None:
        if not self._file.exists():
            strangers = sorted(p.name for p in self._out.iterdir() if not p.name.startswith("."))
            if strangers:
                raise FacesError(
                    f"{self._out}: holds {strangers[0]!r}, which is not from an alignment; choose "
                    "an empty or a new folder"
                )
            self._append([self._settings])
            return
        data = self._file.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if not lines:  # killed while the first line was written
            self._file.unlink()
            return self._begin()
        try:
            self._compare(json.loads(lines[0]))
            self._note([_entry(line) for line in lines[1:]])
        except (ValueError, KeyError, TypeError, AttributeError):
            raise FacesError(
                f"{self._file}: is damaged; choose another folder, or empty this one to begin anew"
            ) from None
        if len(whole) < len(data):  # what a kill cut off
            os.truncate(self._file, len(whole))
        for leftover in self._out.rglob(".*.tmp"):
            leftover.unlink(missing_ok=True)

    def _note(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.entries[entry.path] = entry
            for cut in entry.cuts:  # of one photograph alone, the last to be cut out
                before = self._holders.setdefault(cut.crop, entry.path)
                if before != entry.path:
                    self.entries.pop(before, None)
                    self._holders[cut.crop] = entry.path
            self.crops |= {cut.crop for cut in entry.cuts}

    def _compare(self, before: dict[str, Any]) -> None:
        for key, value in self._settings.items():
            if before.get(key) != value:
                raise FacesError(
                    f"{self._out}: holds an alignment with {key} {before.get(key)}, not {value}; "
                    "choose another folder, or what it was begun with"
                )

    def _append(self, lines: Iterable[dict[str, Any]]) -> None:
        with self._file.open("a", encoding="ascii") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
            file.flush()
            os.fsync(file.fileno())


def _entry(line: bytes) -> Entry:
    fields = json.loads(line)
    cuts = [Cut(**cut) for cut in fields["cuts"]]
    if not all(inside(cut.crop) for cut in cuts):
        raise ValueError("a crop outside")
    return Entry(**{**fields, "cuts": cuts})


def settings_of(source: Path, framing: Framing) -> dict[str, Any]:
    """What crops depend on, as the first line of a record has it."""
    return {"source": os.path.realpath(source), **asdict(framing)}


def _rows(entry: Entry) -> Iterable[list[object]]:
    for cut in entry.cuts:
        points = [value for point in cut.landmarks for value in point]
        yield [entry.path, 1, cut.crop, *cut.box, cut.score, *points, ""]
    if not entry.cuts:
        yield [entry.path, 0, *[""] * (len(COLUMNS) - 3), entry.reason]
