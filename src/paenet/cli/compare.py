"""`pae compare`: methods on equal terms."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.options import Limit, Precision, Weights, names, recipe_of
from paenet.cli.output import Json, emit, megabytes, table


def compare(
    recipe: Annotated[Path, typer.Argument(help="A YAML recipe; docs/recipes.md has its keys.")],
    methods: Annotated[
        str,
        typer.Option(help="With commas, such as pae,packnet,lora:16,finetune,joint,individual."),
    ],
    seeds: Annotated[str, typer.Option(help="With commas, such as 0,1,2.")] = "0",
    orders: Annotated[
        str | None,
        typer.Option(help="Of the tasks: 'a,b,c;b,a,c'. The recipe's own without it."),
    ] = None,
    rates: Annotated[
        str | None,
        typer.Option(
            help="What to multiply a method's learning rates by, with commas: lora:16=10,features=3"
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the runs are kept; runs/NAME-compared without it."),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=1, help="How many runs run at a time, each with its share of threads."),
    ] = 1,
    limit: Limit = None,
    weights: Weights = None,
    precision: Precision = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Draw SVGs into OUT/plots (extra `plot`).")
    ] = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Print the recipe as each method would learn it and stop."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Learn a recipe by several methods and say what each reaches, forgets and costs.

    Every method, seed and order has a run of its own, which continues where it was. Exit 1
    where one failed; the others are compared.
    """
    numbers, factors = _seeds(seeds), _rates(rates or "")
    sequences = None if orders is None else [names(order) for order in orders.split(";")]
    from paenet import training

    if plots:
        from paenet.bench import comparison_plots

        comparison_plots.needs_matplotlib()  # now, and not after hours of training
    plan = recipe_of(recipe, weights=weights, precision=precision)
    if explain:
        terms = training.recipes_of(plan, names(methods), factors)
        document = {name: recipe.model_dump(mode="json") for name, recipe in terms.items()}
        emit(document, as_json, lambda: _explain(terms))
        return
    folder = out or Path("runs") / f"{recipe.stem}-compared"
    training.keep_freed_memory()
    report = training.compare(
        plan,
        names(methods),
        folder,
        seeds=numbers,
        orders=sequences,
        rates=factors,
        workers=workers,
        limit=limit,
        reporter=training.Live(),
        command=shlex.join(["pae", *sys.argv[1:]]),
    )
    drawn = []
    if plots:
        drawn = comparison_plots.draw(report, folder / "plots")
    emit(report, as_json, lambda: show(report, drawn))
    if any(method["failed"] for method in report["methods"].values()):
        raise typer.Exit(1)


def _explain(terms: dict[str, Any]) -> None:
    from paenet import training

    for name, recipe in terms.items():
        print(f"--- # {name}\n{training.dump_recipe(recipe)}", end="")


def _seeds(text: str) -> list[int]:
    try:
        return [int(part) for part in names(text)]
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}; give whole numbers with commas, such as 0,1,2", param_hint="--seeds"
        ) from None


def _rates(text: str) -> dict[str, float]:
    try:
        pairs = [part.rpartition("=") for part in names(text)]
        return {name: float(factor) for name, _, factor in pairs}
    except ValueError:
        raise typer.BadParameter(
            f"{text!r}; give METHOD=FACTOR with commas, such as lora:16=10", param_hint="--rates"
        ) from None


def show(report: dict[str, Any], drawn: Sequence[Path] = ()) -> None:
    """Prints what was compared, and where its plots are."""
    from paenet.packfile.accounting import MIB

    methods = report["methods"]
    summaries = [(name, order) for name, method in methods.items() for order in method["orders"]]
    several = len({tuple(summary["order"]) for _, summary in summaries}) > 1
    differ = seeds_differ(summaries)
    what = ("method", *["seeds"] * differ)
    tasks = summaries[0][1]["tasks"]
    headings = [f"{task} {figures['metric']}" for task, figures in tasks.items()]
    reached: dict[str, list[tuple[str, ...]]] = {"end": [], "learnt": []}
    costs = []
    for name, summary in summaries:
        label = f"{name} ({', '.join(summary['order'])})" if several else name
        which = (label, *[seeds_of(summary)] * differ)
        for when, rows in reached.items():
            figures = [spread(summary["tasks"][task][when]["test"], 100) for task in tasks]
            rows.append((*which, *figures))
        costs.append(
            (
                *which,
                spread(summary["forgetting"]["test"], 100),
                megabytes(summary["bytes"]["mean"]),
                megabytes(MIB * summary["paper_mib"]["mean"]),
                f"{summary['cost']['mean']:.2f}",
                f"{summary['seconds']['mean']:.0f}",
            )
        )
    columns = ("forgotten", "on disk", "as the paper counts", "passes", "seconds")
    for title, headed, rows in (
        ("At the end, on test, in %", headings, reached["end"]),
        ("Right after each task was learnt, on test, in %", headings, reached["learnt"]),
        ("What it costs", columns, costs),
    ):
        table(title, (*what, *headed), rows, text=len(what))
    for name, method in methods.items():
        if method["rate"] != 1:
            print(f"{name}: learning rates times {method['rate']:g}")
        for failure in method["failed"]:
            order = f" ({', '.join(failure['order'])})" if several else ""
            print(f"{name}{order}, seed {failure['seed']} failed: {failure['reason']}")
    for path in drawn:
        print(path)


def seeds_differ(summaries: Sequence[tuple[str, dict[str, Any]]]) -> bool:
    """Whether some summaries are over other seeds than others: a run may have failed."""
    return len({tuple(summary["seeds"]) for _, summary in summaries}) > 1


def seeds_of(summary: dict[str, Any]) -> str:
    """The seeds that a summary is over."""
    return ", ".join(map(str, summary["seeds"]))


def spread(figure: dict[str, float | None], scale: float = 1.0) -> str:
    """Mean ± standard deviation; the mean alone where there is one value."""
    mean, std = figure["mean"], figure["std"]
    assert mean is not None
    text = f"{scale * mean:.1f}"
    return text if std is None else f"{text} ± {scale * std:.1f}"
