"""The page of results, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.adding_page import adding
from benchmarks.alignment_page import alignment
from benchmarks.beside import beside
from benchmarks.comparison import section as comparison
from benchmarks.export_page import export
from benchmarks.markdown import origin, table
from benchmarks.stems import tried
from benchmarks.unseen_page import unseen
from paenet.bench import speed_figures
from paenet.cli.output import interval

HEAD = """# Results

Every figure here comes from a JSON file in `docs/results/`, which one command wrote; this page is
made from them by `python -m benchmarks.results write`. Intervals are 95 %. Test data chose nothing:
goals, rollbacks and stopping looked at validation only. What a command alone does not tell is said
in a remark at the end of its section.
"""


def page(documents: dict[str, dict[str, Any]]) -> str:
    """The whole page from the documents by name."""
    sections = {
        "run": _run,
        "speed": _speed,
        "file": _file,
        "comparison": comparison,
        "export": export,
        "alignment": alignment,
        "adding": adding,
        "unseen": unseen,
    }
    runs = {name: one for name, one in documents.items() if one["kind"] == "run"}
    parts = [HEAD, *beside(runs)]
    for name, document in documents.items():
        parts += ["", f"## {name}", "", *sections[document["kind"]](document | {"name": name})]
        if document.get("remark"):
            parts += ["", f"*Remark.* {document['remark']}"]
    return "\n".join(parts) + "\n"


def _run(document: dict[str, Any]) -> Iterable[str]:
    tasks, account = document["tasks"], document["accounting"]
    yield origin(document)
    yield ""
    yield from table(
        ("task", "metric", "goal", "validation", "test", "individual, test", "difference"),
        [row for name, task in tasks.items() for row in _metrics(name, task)],
    )
    yield ""
    yield (
        "*Individual* is the dense network fine-tuned for that task alone on the same data, with "
        f"the budget that the recipe names as `reference` ({_epochs(tasks)}); for identity it is "
        "the dense network that the packed one imitates. *pairs* are face pairs in ten folds "
        "(LFW), threshold chosen on the other nine."
    )
    yield ""
    yield from table(
        (
            "task",
            "weights owned",
            "weights seen",
            "of a dense network",
            "MB, paper's accounting",
            "MB, network of its own",
        ),
        [
            (
                name,
                f"{task['owned']:,}",
                f"{task['seen']:,}",
                f"{(task['owned'] + task['seen']) / task['total']:.1%}",
                f"{task['paper_mib']:.1f}",
                f"{task['separate_mib']:.1f}",
            )
            for name, task in account["tasks"].items()
        ]
        + [
            (
                "**all**",
                f"{account['owned']:,}",
                "",
                f"{account['owned'] / account['total']:.1%}",
                f"**{account['paper_mib']:.1f}**",
                f"**{account['separate_mib']:.1f}**",
            )
        ],
    )
    yield ""
    yield (
        f"{len(tasks)} tasks take **{account['of_separate']:.1%}** of {len(tasks)} separate "
        f"networks in the paper's accounting (5 bytes for an owned weight, 4 for any other "
        f"parameter, MiB). {account['free']:,} weights are still free."
    )
    yield ""
    yield from _stems(document)
    yield "What each stage of training and pruning reached on validation:"
    yield ""
    yield from table(
        ("task", "stage", "released", "weights", "metric", "seconds"),
        [row for name, task in tasks.items() for row in _stages(name, task)],
    )
    yield ""
    yield (
        "Fingerprints (SHA-256 of all that a task's network is made of) and digests of its float32 "
        "outputs on 64 test faces, when it was learnt and after the last task:"
    )
    yield ""
    yield from table(
        ("task", "fingerprint when learnt", "at the end", "outputs when learnt", "at the end", ""),
        list(_exactness(tasks)),
    )
    yield ""
    broken = document["laws"]["broken"]
    verified = "; ".join(document["laws"]["verified"])
    yield f"`pae check`: {'; '.join(broken)}" if broken else f"`pae check` verified: {verified}."


def _epochs(tasks: dict[str, Any]) -> str:
    """How long each task's own network was trained."""
    references = {name: task["goal"]["reference"] for name, task in tasks.items()}
    known = {name: found["epochs"] for name, found in references.items() if found}
    return ", ".join(f"{name} {epochs:g} epochs" for name, epochs in known.items() if epochs)


def _stems(document: dict[str, Any]) -> Iterable[str]:
    found = tried(document)
    if not found:
        return
    yield (
        "The stems that were tried, the cheapest first: what the task then computes of its own, by "
        "one forward pass of the dense network (multiplications), and what it reached on "
        "validation before pruning. The deepest one that holds the goal is taken."
    )
    yield ""
    yield from table(
        ("task", "stem", "computes of its own", "validation", "goal", "seconds of training", ""),
        [
            (
                name,
                stem.stem,
                f"{stem.work:.1%}",
                f"{stem.value:.4f}",
                f"{document['tasks'][name]['goal']['threshold']:.4f}",
                f"{stem.seconds:.0f}",
                "taken" if stem.chosen else "",
            )
            for name, stems in found.items()
            for stem in stems
        ],
    )
    yield ""
    own = sum(task["own_work"] for task in document["tasks"].values())
    yield (
        f"All {len(found)} tasks together compute {own:.2f} times what one dense network does; as "
        f"networks of their own, {len(found)} times."
    )
    yield ""
    yield f"![metric against forward cost](results/{document['name']}.svg)"
    yield ""


def _metrics(name: str, task: dict[str, Any]) -> Iterable[Sequence[str]]:
    goal = task["goal"]
    reference = (goal["reference"] or {}).get("test", {})
    for metric, value in task["test"].items():
        main = metric == goal["metric"]
        alone = reference.get(metric)
        yield (
            f"**{name}**" if main else "",
            metric,
            f"≥ {goal['threshold']:.4f}{'' if goal['met'] else ' (missed)'}" if main else "",
            interval(task["val"][metric]) if metric in task["val"] else "",
            interval(value),
            interval(alone) if alone else "",
            _difference(value, alone) if alone else "",
        )


def _difference(value: dict[str, Any], alone: dict[str, Any]) -> str:
    change = value["value"] - alone["value"]
    if value["unit"] == "share":
        return f"{100 * change:+.2f} points"
    return f"{change:+.3f}" + (" years" if value["unit"] == "years" else "")


def _stages(name: str, task: dict[str, Any]) -> Iterable[Sequence[str]]:
    for stage in task["stages"]:
        metric, value = next(iter(stage["metrics"].items()))
        yield (
            name,
            stage["stage"],
            f"{stage['sparsity']:.1%}",
            f"{stage['weights']:,}",
            f"{metric} {value['value']:.4f}",
            f"{stage['seconds']:.0f}",
        )


def _exactness(tasks: dict[str, Any]) -> Iterable[Sequence[str]]:
    last = list(tasks.values())[-1]["tasks"]
    for name, task in tasks.items():
        then, now = task["tasks"][name], last[name]
        yield (
            name,
            *(
                f"`{state[key][:16]}`"
                for key in ("fingerprint", "outputs")
                for state in (then, now)
            ),
            "equal" if then == now else "**CHANGED**",
        )


def _speed(document: dict[str, Any]) -> Iterable[str]:
    yield origin(document)
    yield ""
    stems = ", ".join(f"{task} {stem or '(none)'}" for task, stem in document["stems"].items())
    yield (
        f"{document['tasks']} tasks of {document['backbone']} with these stems: {stems}. Float32 "
        "and channels-last where nothing else is said; ratios of medians, both sides taking turns "
        f"in one process, {document['repeats']} repeats. All tasks together have "
        f"{document['work_over_dense']:.3f} times the multiplications of one dense network."
    )
    yield ""
    rows = [(what, _ratio(value)) for what, value in speed_figures(document)]
    yield from table(("what", "figure"), rows)


def _file(document: dict[str, Any]) -> Iterable[str]:
    yield origin(document)
    yield ""
    yield (
        "The size of the file by that of as many separate networks as there are tasks (dense, "
        "float32, parameters alone), with every task's own weights rounded to each value grid:"
    )
    yield ""
    shares = document["of_separate"]
    yield from table(list(shares), [[f"**{share:.2%}**" for share in shares.values()]])
    yield ""
    yield "The float32 file by other ways to store the same tasks:"
    yield ""
    others = document["against"]
    names = [name.replace("_", " ") for name in others]
    yield from table(names, [[_ratio(ratio) for ratio in others.values()]])
    yield ""
    ratio = document["owners_over_entropy"]
    owners = "an unknown multiple" if ratio is None else f"{ratio:.3f}"
    calls = 2 * document["repeats"]  # so that each of the two goes first as often
    yield (
        f"Owner maps take {owners} of their order-0 entropy. Loading every task as a module takes "
        f"{document['load_over_safetensors']:.2f} times what safetensors takes to read the dense "
        f"networks into modules (medians of {calls} calls of each, in turns); memory peaks at "
        f"{_times(document['load_peak_over_materialised'])} the modules' size for all tasks, "
        f"{_times(document['one_load_peak_over_materialised'])} for one. Saving takes "
        f"{document['save_seconds']:.1f} s."
    )


def _ratio(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{ratio:.3f}"


def _times(ratio: float | None) -> str:
    return "an unknown multiple of" if ratio is None else f"{ratio:.2f} times"
