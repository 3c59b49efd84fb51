"""Means and standard deviations over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from paenet.training.comparison.outcome import JUDGED

Spread = dict[str, float | None]
FIGURES = ("bytes", "paper_mib", "cost", "seconds")


def by_order(runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One summary for each order of tasks, over the seeds that came to their end."""
    orders = list(dict.fromkeys(tuple(run["order"]) for run in runs))
    return [_summary([run for run in runs if tuple(run["order"]) == order]) for order in orders]


def _summary(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {
        "order": runs[0]["order"],
        "seeds": [run["seed"] for run in runs],
        "tasks": {
            task: {
                "metric": first["metric"],
                **{
                    when: {
                        split: spread([run["tasks"][task][when][split] for run in runs])
                        for split in JUDGED
                    }
                    for when in ("learnt", "end", "forgetting")
                },
            }
            for task, first in runs[0]["tasks"].items()
        },
        "forgetting": {
            split: spread([run["forgetting"][split] for run in runs]) for split in JUDGED
        },
        **{figure: spread([run[figure] for run in runs]) for figure in FIGURES},
    }


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation; of a single value there is no deviation."""
    return {
        "mean": statistics.fmean(values),
        "std": statistics.stdev(values) if len(values) > 1 else None,
    }
