"""What a source leaves out: how many rows for which reason, the first few of them named."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

NAMED = 3  # rows that are named for each reason
_REASONS = 40  # more of them say nothing to a person, and a hostile file could have millions
_OTHERS = "other reasons"


@dataclass(frozen=True)
class Skipped:
    """Rows of a source that are no examples.

    They are those of the whole source, whatever split was asked for: a row that cannot be read
    has no split.

    Attributes:
        counts: how many rows, by reason; the most frequent first.
        first: the first few rows by reason, such as `("labels.csv line 7",)`.
    """

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return sum(self.counts.values())

    def as_json(self) -> dict[str, Any]:
        """`{"rows", "summary", "reasons": [{"reason", "rows", "first"}, …]}`."""
        reasons = [
            {"reason": reason, "rows": rows, "first": list(self.first[reason])}
            for reason, rows in self.counts.items()
        ]
        return {"rows": len(self), "summary": self.summary(), "reasons": reasons}

    def summary(self) -> str:
        """One line: `12 rows are left out: 10 × age 'None' (first: …), 2 × …`, or that none is."""
        if not self:
            return "nothing is left out"
        parts = [
            f"{rows} × {reason} (first: {self.first[reason][0]})"
            for reason, rows in list(self.counts.items())[:NAMED]
        ]
        more = len(self.counts) - len(parts)
        rows = "1 row is" if len(self) == 1 else f"{len(self)} rows are"
        return f"{rows} left out: {', '.join(parts)}" + (f", {more} reasons more" if more else "")


class Tally:
    """Counts what is left out while a source is read."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._first: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, reason: str, place: str, count: int = 1) -> None:
        """Counts a row, or several of them.

        Args:
            reason: short, and the same for all rows that it applies to.
            place: file and line, or the path of the image.
        """
        if reason not in self._counts and len(self._counts) >= _REASONS:
            reason = _OTHERS
        self._counts[reason] += count
        if len(self._first[reason]) < NAMED:
            self._first[reason].append(place)

    def extend(self, skipped: Skipped) -> None:
        """Counts what another source leaves out, too."""
        for reason, rows in skipped.counts.items():
            *others, last = skipped.first[reason]
            for place in others:
                self.add(reason, place)
            self.add(reason, last, rows - len(others))

    def result(self) -> Skipped:
        """What was counted."""
        counts = dict(self._counts.most_common())
        return Skipped(counts, {reason: tuple(self._first[reason]) for reason in counts})


def merge(parts: Iterable[Skipped]) -> Skipped:
    """What several sources leave out."""
    tally = Tally()
    for part in parts:
        tally.extend(part)
    return tally.result()


def quoted(value: object) -> str:
    """A value as a reason may repeat it: short, in one line, printable anywhere."""
    text = ascii(value)
    return text if len(text) <= 24 else f"{text[:20]}…{text[-1]}"
