"""`pae bench`: measurements on this machine."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from paenet.cli.options import Weights
from paenet.cli.output import Json, emit, table

app = typer.Typer(help="Measure on this machine.", no_args_is_help=True)

BACKBONE = "inception-resnet-v1"
DENSITIES = "0.615,0.230,0.107"
OWN_CODE = "its network is code of your own; pae bench measures those that come with paenet"

Backbone = Annotated[
    str | None, typer.Option(help="Of the pack that is made.", show_default=BACKBONE)
]


@app.command("file")
def file(
    densities: Annotated[
        str | None,
        typer.Option(
            help="The share of the weights that each task owns, with commas.",
            show_default=DENSITIES,
        ),
    ] = None,
    backbone: Backbone = None,
    weights: Weights = None,
    pack: Annotated[Path | None, typer.Option(help="A .pae file to measure instead.")] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Of every timing.")] = 5,
    as_json: Json = False,
) -> None:
    """A pack's file: its size beside other ways to store it, and what reading it takes.

    Without --weights, trained ones that are in the cache are taken, or else the backbone's own
    initialisation.
    """
    from paenet import backbones, bench, training

    source: dict[str, Any] = {"pack": str(pack)}
    if pack is not None:
        _alone({"--densities": densities, "--backbone": backbone, "--weights": weights})
        held = _read(pack)
    else:
        shares = _shares(DENSITIES if densities is None else densities)
        name = _of_paenet(backbone)
        weights = weights or backbones.cached(name)
        held = bench.sample(name, weights, shares)
        source = {"densities": shares, "backbone": name, "weights": weights}
    found = bench.bench_file(held, repeats=repeats)
    command = shlex.join(["pae", *sys.argv[1:]])
    document = {
        "kind": "file",
        "command": command,
        **source,
        "versions": training.versions(),
        **found,
    }
    emit(document, as_json, lambda: _show(document))


@app.command("speed")
def speed(
    backbone: Backbone = None,
    weights: Weights = None,
    pack: Annotated[
        Path | None, typer.Option(help="A .pae file to measure instead, its tasks with stems.")
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Of every timing.")] = 5,
    as_json: Json = False,
) -> None:
    """All tasks in one pass beside other ways to run them, and what learning one more costs.

    Without --pack, four tasks that were not trained: none is judged here. On FaceNet it takes some
    five minutes on two cores.
    """
    from paenet import bench, training

    if pack is not None:
        _alone({"--backbone": backbone, "--weights": weights})
        held = _read(pack)
    else:
        held = bench.sample_with_stems(_of_paenet(backbone), weights)
    document = {
        "kind": "speed",
        "command": shlex.join(["pae", *sys.argv[1:]]),
        "pack": None if pack is None else str(pack),
        "backbone": held.spec.name,
        "versions": training.versions(),
        **bench.bench_speed(held, repeats=repeats),
    }
    emit(document, as_json, lambda: _show_speed(document))


def _alone(given: dict[str, str | None]) -> None:
    """Refuses what is said of a pack that is made, where one is given."""
    beside = [option for option, value in given.items() if value is not None]
    if beside:
        raise typer.BadParameter(
            f"a pack is measured as it is, so that {' and '.join(beside)} beside it would do "
            "nothing; leave out the one or the other",
            param_hint="--pack",
        )


def _of_paenet(backbone: str | None) -> str:
    """A backbone that processes of their own can build, too, as some measurements ask."""
    name = BACKBONE if backbone is None else backbone
    if ":" in name:
        raise typer.BadParameter(f"{name}: {OWN_CODE}", param_hint="--backbone")
    return name


def _read(pack: Path) -> Any:
    """A pack that processes of their own can read, too, as some measurements ask."""
    from paenet import packfile

    try:
        return packfile.read(pack)
    except packfile.CodeNeededError:
        raise packfile.PackFileError(
            f"{pack}: {OWN_CODE} (pae info lists what is in a pack)"
        ) from None


def _shares(text: str) -> list[float]:
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    # Asked so that a NaN is refused, which no comparison holds for.
    if not (shares and all(0 < share <= 1 for share in shares) and sum(shares) <= 1):
        raise typer.BadParameter(
            f"{text!r}; give shares above 0 that sum to at most 1, such as 0.6,0.2,0.1",
            param_hint="--densities",
        )
    return shares


def _show(document: dict[str, Any]) -> None:
    print(f"{_measured(document)}\n")
    sizes = [(grid, f"{share:.2%}") for grid, share in document["of_separate"].items()]
    table("Size, by separate float32 networks", ("values", "of separate"), sizes)
    others = [(name, _figure(ratio)) for name, ratio in document["against"].items()]
    table("Size, by other ways to store the same tasks", ("way", "ratio"), others)
    keys = (
        ("owner maps ÷ entropy", "owners_over_entropy"),
        ("load ÷ safetensors of dense networks", "load_over_safetensors"),
        ("peak memory ÷ modules, all tasks", "load_peak_over_materialised"),
        ("peak memory ÷ modules, one task", "one_load_peak_over_materialised"),
        ("seconds to save", "save_seconds"),
    )
    rows = [(name, _figure(document[key])) for name, key in keys]
    table("Reading and writing", ("what", "figure"), rows)


def _show_speed(document: dict[str, Any]) -> None:
    from paenet import bench

    rows = [
        ("multiplications of all tasks ÷ one dense network", _figure(document["work_over_dense"])),
        *((what, _figure(value)) for what, value in bench.speed_figures(document)),
    ]
    table(
        f"{document['tasks']} tasks in one pass, {document['threads']} threads",
        ("what", "figure"),
        rows,
    )


def _measured(document: dict[str, Any]) -> str:
    """What the figures are of: random weights are no trained ones, and round otherwise."""
    if "pack" in document:
        return str(document["pack"])
    weights = document["weights"] or "random weights (--weights takes trained ones)"
    shares = ", ".join(f"{share:g}" for share in document["densities"])
    return f"{document['backbone']} with {weights}, shared out as {shares}"


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
