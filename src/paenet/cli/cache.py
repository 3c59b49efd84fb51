"""`pae cache`: what runs keep for the next one."""

from __future__ import annotations

from typing import Annotated

import typer

from paenet.cli.output import Json, emit, megabytes, table

app = typer.Typer(help="What runs keep for the next one.", no_args_is_help=True)


@app.command("info")
def info(as_json: Json = False) -> None:
    """Where the cache is, and what takes how much of it."""
    from paenet import training

    folder, sizes = str(training.cache_folder()), training.cache_sizes()
    rows = [(kind, what, megabytes(sizes[kind])) for kind, what in training.CACHE_KINDS.items()]
    emit(
        {"folder": folder, "bytes": sizes},
        as_json,
        lambda: table(folder, ("kept", "what", "size"), rows),
    )


@app.command("clear")
def clear(
    kinds: Annotated[
        list[str] | None, typer.Argument(help="images, activations, references; all by default.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove what runs keep; a run that needs it makes it again."""
    from paenet import training

    freed = training.clear_cache(kinds or ())
    total = megabytes(sum(freed.values()))
    emit({"freed": freed}, as_json, lambda: print(f"{total} are free again."))
