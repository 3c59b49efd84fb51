"""A comparison of methods as a section of the page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from benchmarks.markdown import origin, place, table
from paenet.bench.comparison_plots import names
from paenet.cli.compare import seeds_differ, seeds_of, spread


def section(document: dict[str, Any]) -> Iterable[str]:
    """What each method reaches, forgets and costs; then the plots."""
    methods = document["methods"]
    summaries = [(name, order) for name, method in methods.items() for order in method["orders"]]
    tasks = summaries[0][1]["tasks"]
    yield origin(document)
    if document["limit"] is not None:
        yield f"At most {document['limit']} examples of every split."
    yield ""
    yield (
        "Every method has the same given network, data, loop, seeds and epochs; training again "
        "after filters were added comes on top ([compare.md](compare.md)). The goal's metric on "
        "test at the end and, in brackets, right after the task was learnt, in %; "
        f"{_over(summaries)}. *Forgotten* is the mean over the tasks of what each lost since its "
        "best, in points; *MB on disk* are of each method's own best format: packs on the recipe's "
        "value grids, all else in float32 or, where that loses nothing, float16; *passes* are the "
        "multiplications of all tasks on one image by those of one dense network."
    )
    yield ""
    headings = [f"{task} ({figures['metric']})" for task, figures in tasks.items()]
    columns = (*headings, "forgotten", "MB on disk", "MB, paper's accounting", "passes")
    differ = seeds_differ(summaries)
    yield from table(
        (*_what(differ), *columns, "seconds of training"),
        [
            (
                *_which(name, summary, differ),
                *(_task(summary["tasks"][task]) for task in tasks),
                spread(summary["forgetting"]["test"], 100),
                spread(summary["bytes"], 2**-20),
                spread(summary["paper_mib"]),
                f"{summary['cost']['mean']:.2f}",
                spread(summary["seconds"]),
            )
            for name, summary in summaries
        ],
    )
    yield ""
    yield from _validation(methods)
    rates = [f"`{name}` × {m['rate']:g}" for name, m in methods.items() if m["rate"] != 1]
    if rates:
        yield f"Learning rates are the recipe's, but for {', '.join(rates)}."
        yield ""
    for name, method in methods.items():
        for failure in method["failed"]:
            yield f"`{name}`, seed {failure['seed']}, failed: {failure['reason']}"
            yield ""
    yield from _made(methods)
    held = [
        run for method in methods.values() for run in method["runs"] if run["fingerprints"]
    ]  # an outcome is not written where one has changed
    if held:
        yield (
            "In every run of packs each task has at the end the fingerprint that it had when it "
            f"was learnt ({len(held)} of {len(held)})."
        )
        yield ""
    for name in names(document):
        yield f"![{name}](results/{document['name']}-{name}.svg)"
        yield ""


def _made(methods: dict[str, Any]) -> Iterable[str]:
    """What the runs were made with, as far as they say."""
    kinds = dict.fromkeys(
        f"in {run['precision']} on {place(run['versions'])}"
        for method in methods.values()
        for run in method["runs"]
        if "versions" in run
    )
    if kinds:
        yield f"The runs were made {'; '.join(kinds)}."
        yield ""


def _over(summaries: Sequence[tuple[str, dict[str, Any]]]) -> str:
    if seeds_differ(summaries):
        return "mean ± standard deviation over the seeds that each row names"
    seeds = len(summaries[0][1]["seeds"])
    return f"mean ± standard deviation over {seeds} seeds" if seeds > 1 else "of one seed"


def _what(differ: bool) -> tuple[str, ...]:
    """The headings of `_which`."""
    return ("method", "order", *["seeds"] * differ)


def _which(name: str, summary: dict[str, Any], differ: bool) -> tuple[str, ...]:
    """What a row is of; its seeds where rows are of different ones."""
    return (f"`{name}`", ", ".join(summary["order"]), *[seeds_of(summary)] * differ)


def _validation(methods: dict[str, Any]) -> Iterable[str]:
    """What each method reaches at the end on validation, beside networks of their own."""
    alone = methods.get("individual", {"orders": []})
    orders = [summary["order"] for summary in alone["orders"]]
    summaries = [
        (name, summary)
        for name, method in methods.items()
        for summary in method["orders"]
        if summary["order"] in orders
    ]
    if all(name == "individual" for name, _ in summaries):
        return
    differ = seeds_differ(summaries)
    tasks = list(summaries[0][1]["tasks"])
    yield (
        "On validation at the end, in %, and in brackets by how many points it is above the "
        "individual networks (over the same seeds):"
    )
    yield ""
    yield from table(
        (*_what(differ), *tasks),
        [
            (
                *_which(name, summary, differ),
                *(_beside(methods[name], alone, summary["order"], task) for task in tasks),
            )
            for name, summary in summaries
        ],
    )
    yield ""


def _reached(method: dict[str, Any], order: list[str], task: str) -> dict[int, float]:
    """What a task reaches at the end on validation, by seed."""
    return {
        run["seed"]: run["tasks"][task]["end"]["val"]
        for run in method["runs"]
        if run["order"] == order
    }


def _beside(method: dict[str, Any], other: dict[str, Any], order: list[str], task: str) -> str:
    """A method's mean, and how far it is above another's over the seeds that both have, if any."""
    reached = [_reached(each, order, task) for each in (method, other)]
    text = f"{100 * fmean(reached[0].values()):.1f}"
    both = reached[0].keys() & reached[1].keys()
    if not both:
        return text
    own, alone = (100 * fmean(values[seed] for seed in both) for values in reached)
    return f"{text} ({own - alone:+.1f})"


def _task(figures: dict[str, Any]) -> str:
    end, learnt = (spread(figures[when]["test"], 100) for when in ("end", "learnt"))
    return f"{end} ({learnt})"
