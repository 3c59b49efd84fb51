"""A comparison of methods as plots: what is reached for how many bytes, and who owns what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paenet.errors import PaenetError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*<>"


def needs_matplotlib() -> None:
    """Refuses where there is nothing to draw with.

    Raises:
        PaenetError: says how to install it.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise PaenetError("plots need matplotlib; pip install 'paenet[plot]'") from None


def draw(report: dict[str, Any], folder: Path, prefix: str = "") -> list[Path]:
    """Draws a comparison as SVG files; the same report gives the same files.

    Args:
        report: of `training.compare`.
        folder: made where absent.
        prefix: of the files' names.

    Returns:
        Their paths.

    Raises:
        PaenetError: as `needs_matplotlib`.
    """
    needs_matplotlib()
    folder.mkdir(parents=True, exist_ok=True)
    figures = {"accuracy-bytes": _bytes(report), "sequence": _sequence(report)}
    for name, method in report["methods"].items():
        if method["runs"] and method["runs"][0]["owners"] is not None:
            figures[f"owners-{name.replace(':', '-')}"] = _owners(name, method["runs"][0])
    return [_save(figure, folder / f"{prefix}{name}.svg") for name, figure in figures.items()]


def _bytes(report: dict[str, Any]) -> Figure:
    """The goals' metrics at the end, on test, against the bytes on disk; means over seeds."""
    figure, (axes,) = _figure(1, xlabel="bytes on disk", ylabel="mean metric of the tasks, test")
    for index, (name, method) in enumerate(report["methods"].items()):
        for number, summary in enumerate(method["orders"]):
            values = [task["end"]["test"]["mean"] for task in summary["tasks"].values()]
            errors = [task["end"]["test"]["std"] or 0.0 for task in summary["tasks"].values()]
            axes.errorbar(
                summary["bytes"]["mean"],
                sum(values) / len(values),
                yerr=sum(errors) / len(errors),
                xerr=summary["bytes"]["std"],
                marker=MARKERS[index % len(MARKERS)],
                color=f"C{index % 10}",
                linestyle="none",
                capsize=2,
                label=name if number == 0 else None,
            )
    axes.set_xscale("log")
    axes.legend(fontsize=8)
    return figure


def _sequence(report: dict[str, Any]) -> Figure:
    """Every task's metric on test after each lesson, of each method's first run."""
    runs = {name: method["runs"][0] for name, method in report["methods"].items() if method["runs"]}
    order = next(iter(runs.values()))["order"]
    figure, panels = _figure(len(order), xlabel="after", ylabel="metric, test")
    for axes, task in zip(panels, order, strict=True):
        for index, (name, run) in enumerate(runs.items()):
            steps = [step for step in run["steps"] if task in step["test"]]
            # What learns all tasks at once has one lesson, after which nothing comes.
            places = [
                run["order"].index(step["after"]) if "+" not in step["after"] else len(order) - 1
                for step in steps
            ]
            axes.plot(
                places,
                [step["test"][task] for step in steps],
                marker=MARKERS[index % len(MARKERS)],
                color=f"C{index % 10}",
                markersize=4,
                label=name,
            )
        axes.set_xticks(range(len(order)), order, fontsize=7, rotation=30)
        axes.set_title(task, fontsize=9)
    panels[0].legend(fontsize=7)
    return figure


def _owners(name: str, run: dict[str, Any]) -> Figure:
    """What share of each layer every task owns."""
    owners = run["owners"]
    figure, (axes,) = _figure(
        1, xlabel="layer, from input to output", ylabel="share of its weights"
    )
    places = range(len(owners))
    bottom = [0.0] * len(owners)
    for index, owner in enumerate([*run["order"], "free"]):
        shares = [layer[owner] / sum(layer.values()) for layer in owners.values()]
        colour = "lightgrey" if owner == "free" else f"C{index % 10}"
        axes.bar(places, shares, bottom=bottom, width=1.0, color=colour, label=owner)
        bottom = [low + share for low, share in zip(bottom, shares, strict=True)]
    if len(owners) <= 30:
        axes.set_xticks(places, list(owners), fontsize=6, rotation=90)
    axes.set_title(name, fontsize=9)
    figure.legend(fontsize=8, loc="outside right upper")
    return figure


def _figure(panels: int, **labels: str) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7.0, 3.0 * panels), 4), layout="constrained")
    return figure, [figure.add_subplot(1, panels, 1 + i, **labels) for i in range(panels)]


def _save(figure: Figure, path: Path) -> Path:
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path
