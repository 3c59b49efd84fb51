"""Notes of a task in a file: `pae` writes goals and metrics there, others what they like."""

from __future__ import annotations

from typing import Any

_FIGURES = ("value", "low", "high")


def mapping(value: Any) -> dict[str, Any]:
    """A part of some notes that `pae` writes as a mapping; empty where it is something else."""
    return value if isinstance(value, dict) else {}


def metrics(value: Any) -> dict[str, Any]:
    """Those of a part's entries that are metrics: `value`, `low`, `high` and `unit`, by name."""
    return {
        name: metric
        for name, metric in mapping(value).items()
        if "unit" in mapping(metric)
        and all(isinstance(metric.get(key), int | float) for key in _FIGURES)
    }
