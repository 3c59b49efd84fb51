"""Accuracy against forward cost, for every stem that a run has tried."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.stems import tried
from paenet.bench.comparison_plots import figure_of, save


def plot(document: dict[str, Any], path: Path) -> None:
    """Draws the goal's metric over what each task computes of its own, as SVG; filled: chosen."""
    figure, (axes,) = figure_of(
        1, xlabel="computed of its own, % of one forward pass", ylabel="metric on validation"
    )
    axes.set_xscale("symlog", linthresh=0.1)
    for name, stems in tried(document).items():
        task = document["tasks"][name]
        if len(stems) < 2 and not task["stem"]:
            continue
        works = [100 * stem.work for stem in stems]
        (line,) = axes.plot(
            works,
            [stem.value for stem in stems],
            marker="o",
            markerfacecolor="white",
            label=f"{name} ({task['goal']['metric']})",
        )
        axes.axhline(task["goal"]["threshold"], color=line.get_color(), linestyle=":", linewidth=1)
        for stem, work in zip(stems, works, strict=True):
            axes.annotate(
                stem.stem, (work, stem.value), fontsize=7, xytext=(3, 4), textcoords="offset points"
            )
            if stem.chosen:
                axes.plot(work, stem.value, "o", color=line.get_color())
    axes.legend(fontsize=8)
    save(figure, path)
