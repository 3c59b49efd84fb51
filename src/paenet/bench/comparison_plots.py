"""A comparison of methods as plots: what is reached for how many bytes, and who owns what."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from paenet.errors import PaenetError
from paenet.packfile.accounting import MIB

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = "osD^vPX*<>"
OWNERS = "owners-"  # and the method
FREE = "(free)"  # as `training.compare` calls what no task owns


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
    return [save(_draw(name, report), folder / f"{prefix}{name}.svg") for name in names(report)]


def names(report: dict[str, Any]) -> list[str]:
    """The plots that there are of a comparison."""
    packs = [
        name
        for name, method in report["methods"].items()
        if method["runs"] and method["runs"][0]["owners"] is not None
    ]
    return ["accuracy-bytes", "sequence", *(f"{OWNERS}{name}" for name in packs)]


def _draw(name: str, report: dict[str, Any]) -> Figure:
    if name.startswith(OWNERS):
        method = name.removeprefix(OWNERS)
        return _owners(method, report["methods"][method]["runs"][0])
    return _bytes(report) if name == "accuracy-bytes" else _sequence(report)


def _bytes(report: dict[str, Any]) -> Figure:
    """What each task reaches at the end, on test, against all bytes on disk; over the seeds."""
    from matplotlib.ticker import LogLocator, NullLocator

    found = [order for method in report["methods"].values() for order in method["orders"]]
    tasks = {task: figures["metric"] for task, figures in found[0]["tasks"].items()}
    figure, panels = figure_of(len(tasks), xlabel="MB on disk")
    for axes, (task, metric) in zip(panels, tasks.items(), strict=True):
        for index, (name, method) in enumerate(report["methods"].items()):
            for number, summary in enumerate(method["orders"]):
                reached = summary["tasks"][task]["end"]["test"]
                size, spread = summary["bytes"]["mean"], summary["bytes"]["std"]
                axes.errorbar(
                    size / MIB,
                    reached["mean"],
                    xerr=None if spread is None else spread / MIB,
                    yerr=reached["std"],
                    linestyle="none",
                    capsize=2,
                    label=name if number == 0 else None,
                    **_style(index),
                )
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(f"{task}: {metric} on test", fontsize=9)
    panels[0].legend(fontsize=7)
    return figure


def _sequence(report: dict[str, Any]) -> Figure:
    """What each task reaches on test after every lesson, in each method's first run."""
    every = [run for method in report["methods"].values() for run in method["runs"]]
    order = every[0]["order"]
    figure, panels = figure_of(len(order), xlabel="after")
    for axes, task in zip(panels, order, strict=True):
        for index, (name, method) in enumerate(report["methods"].items()):
            run = next((run for run in method["runs"] if run["order"] == order), None)
            steps = [step for step in run["steps"] if task in step["test"]] if run else []
            # What learns all tasks at once has one lesson, and nothing comes after it.
            places = [
                order.index(step["after"]) if step["after"] in order else len(order) - 1
                for step in steps
            ]
            values = [step["test"][task] for step in steps]
            axes.plot(places, values, markersize=4, label=name, **_style(index))
        metric = every[0]["tasks"][task]["metric"]
        axes.set_xticks(range(len(order)), order, fontsize=7, rotation=30)
        axes.set_title(f"{task}: {metric} on test", fontsize=9)
    panels[0].legend(fontsize=7)
    return figure


def _style(index: int) -> dict[str, Any]:
    """How a method looks, the same in every plot."""
    return {"marker": MARKERS[index % len(MARKERS)], "color": f"C{index % 10}"}


def _owners(name: str, run: dict[str, Any]) -> Figure:
    """What share of each layer every task owns."""
    owners = run["owners"]
    figure, (axes,) = figure_of(
        1, xlabel="layer, from input to output", ylabel="share of its weights"
    )
    places = range(len(owners))
    bottom = [0.0] * len(owners)
    for index, owner in enumerate([*run["order"], FREE]):
        shares = [layer[owner] / sum(layer.values()) for layer in owners.values()]
        colour = "lightgrey" if owner == FREE else f"C{index % 10}"
        axes.bar(places, shares, bottom=bottom, width=1.0, color=colour, label=owner)
        bottom = [low + share for low, share in zip(bottom, shares, strict=True)]
    if len(owners) <= 30:
        axes.set_xticks(places, list(owners), fontsize=6, rotation=90)
    axes.set_title(name, fontsize=9)
    figure.legend(fontsize=8, loc="outside right upper")
    return figure


def figure_of(panels: int, **labels: str) -> tuple[Figure, list[Axes]]:
    """A figure with so many panels side by side, each with these labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(7.0, 3.0 * panels), 4), layout="constrained")
    return figure, [figure.add_subplot(1, panels, 1 + i, **labels) for i in range(panels)]


def save(figure: Figure, path: Path) -> Path:
    """Writes a figure as SVG; the same figure gives the same file."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": path.name, "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None, "Creator": None})
    return path
