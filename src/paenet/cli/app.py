"""The application: its commands, and how every error ends."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable
from typing import Annotated

import typer
from typer.exceptions import TyperException

import paenet
from paenet.cli import (
    add,
    align,
    bench,
    cache,
    check,
    compare,
    datasets,
    env,
    evaluate,
    export,
    extract,
    info,
    init,
    merge,
    quickstart,
    remove,
    report,
    run,
)
from paenet.errors import PaenetError

app = typer.Typer(
    name="pae",
    help="Many tasks in one network, added one by one, none ever changed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "quickstart": quickstart.quickstart,
    "run": run.run,
    "compare": compare.compare,
    "init": init.init,
    "add": add.add,
    "remove": remove.remove,
    "extract": extract.extract,
    "merge": merge.merge,
    "export": export.export,
    "info": info.info,
    "check": check.check,
    "eval": evaluate.evaluate,
    "align": align.align,
    "report": report.report,
    "env": env.env,
}
for name, command in COMMANDS.items():
    app.command(name)(command)
app.add_typer(bench.app, name="bench")
app.add_typer(cache.app, name="cache")
app.add_typer(datasets.app, name="datasets")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"paenet {paenet.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error.", is_eager=True)
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", is_eager=True, callback=_version),
    ] = False,
) -> None:
    """Many tasks in one network, added one by one, none ever changed."""
    if debug:
        os.environ["PAENET_DEBUG"] = "1"


def main() -> None:
    """Runs `pae`; every error that a user can mend ends in one line and exit code 2.

    Where nobody reads on, as behind `| head`, it ends as other tools do: at once, and quietly.
    """
    try:
        code = app(standalone_mode=False)
        if code == 130:  # typer keeps Ctrl-C to itself, and returns its code
            raise KeyboardInterrupt
        print(end="", flush=True)  # what goes wrong with the last lines goes wrong here
    except BrokenPipeError:
        code = _unread()
    except SystemExit as end:  # what typer and rich make of it
        if not isinstance(end.__context__, BrokenPipeError):
            raise
        code = _unread()
    except PaenetError as error:
        code = _fail(str(error), error)
    except TyperException as error:
        code = _fail(error.format_message(), error)
    except (KeyboardInterrupt, typer.Abort):
        _fail(
            "stopped; a run, addition, comparison or alignment goes on from there when it is "
            "started again",
            None,
        )
        code = 130
    except OSError as error:
        code = _fail(_of_the_system(error), error)
    sys.exit(code or 0)


def _unread() -> int:
    """Drops what is left to print, which Python would try again; returns the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 141  # as a shell tells of SIGPIPE


def _fail(message: str, error: BaseException | None) -> int:
    """Says in one line what is wrong; returns the exit code."""
    if error is not None and os.environ.get("PAENET_DEBUG"):
        traceback.print_exception(error)
    if message:  # a bare `pae` has printed its help
        print(f"pae: {' '.join(message.splitlines())}", file=sys.stderr)
    return 2


def _of_the_system(error: OSError) -> str:
    """What the operating system refused, and the mend."""
    mends = {
        errno.ENOSPC: "free some space and run the same command again",
        errno.EDQUOT: "free some space and run the same command again",
        errno.EACCES: "give the permission, or choose another place",
        errno.EROFS: "choose another place",
        errno.ENOENT: "check the path",
        errno.EISDIR: "give a file",
        errno.ENOTDIR: "check the path",
    }
    reason = error.strerror or str(error)
    mend = mends.get(error.errno or 0)
    place = f"{error.filename}: " if error.filename else ""
    return f"{place}{reason}" + (f"; {mend}" if mend else "")
