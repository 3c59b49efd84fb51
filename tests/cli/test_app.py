"""The door of every command: its help, `--json`, and how errors end."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import paenet
from paenet import training
from paenet.cli.app import COMMANDS
from tests.cli.answers import refusal
from tests.cli.conftest import Pae


def listed(text: str) -> list[str]:
    """The commands in a help text."""
    return re.findall(r"^│ ([a-z]+) ", text, re.MULTILINE)


# ---------------------------------------------------------------- help


def test_help_lists_every_command_in_the_order_of_the_app(pae: Pae) -> None:
    done = pae("--help")
    assert done.code == 0
    assert listed(done.out) == [*COMMANDS, "bench", "cache", "datasets"]
    assert done.err == ""


def test_the_version_is_printed(pae: Pae) -> None:
    done = pae("--version")
    assert (done.code, done.out, done.err) == (0, f"paenet {paenet.__version__}\n", "")


def test_without_a_command_the_help_is_shown_and_nothing_is_complained_about(pae: Pae) -> None:
    done = pae()
    assert done.code == 2  # a script that forgot the command shall not go on
    assert listed(done.out) == [*COMMANDS, "bench", "cache", "datasets"]
    assert done.err == ""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json_and_says_what_it_does(name: str, pae: Pae) -> None:
    done = pae(name, "--help")
    assert done.code == 0
    assert done.err == ""
    assert "--json" in done.out
    assert " ".join(str(COMMANDS[name].__doc__).split()) in " ".join(done.out.split())


@pytest.mark.parametrize("arguments", [["--help"], ["info", "--help"], ["infos"], ["run"]])
def test_help_and_usage_errors_do_not_wait_for_torch(arguments: list[str]) -> None:
    code = f"""
import sys
from paenet.cli import main
sys.argv = ["pae", *{arguments}]
try:
    main()
except SystemExit:
    heavy = {{"torch", "numpy", "accelerate", "PIL"}} & sys.modules.keys()
    sys.exit(", ".join(heavy) or 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# ---------------------------------------------------------------- usage


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["infos"], "'infos'. Did you mean 'info'?"),
        (["info"], "Missing argument 'file'"),
        (["add", "pack.pae"], "Missing option '--task'"),
        (["env", "--jsn"], "No such option: --jsn (Possible options: --json)"),
        (["info", "a.pae", "b.pae"], "unexpected extra argument(s) (b.pae)"),
        (["run", "toy.yaml", "--limit", "1"], "'--limit': Input should be greater than or equal"),
        (["run", "toy.yaml", "--limit", "x"], "'--limit': Input should be a valid integer"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_one_line(
    arguments: list[str], message: str, pae: Pae
) -> None:
    assert message in refusal(pae(*arguments))


# ---------------------------------------------------------------- errors


def test_an_error_is_one_line_and_debug_shows_where_it_came_from(pae: Pae) -> None:
    plain = pae("info", "absent.pae")
    line = refusal(plain, "absent.pae: does not exist; check the path")
    assert plain.err == f"{line}\n"
    shown = pae("--debug", "info", "absent.pae")
    assert shown.code == 2
    assert shown.out == ""
    assert shown.err.startswith("Traceback (most recent call last):")
    assert "PackFileError" in shown.err
    assert shown.err.endswith(f"{line}\n")


def test_a_defect_of_paenet_is_not_hidden(pae: Pae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "versions", raising(ZeroDivisionError("a defect")))
    with pytest.raises(ZeroDivisionError):
        pae("env")


def raising(error: BaseException) -> Any:
    """A function that raises."""

    def function(*arguments: Any, **keywords: Any) -> None:
        raise error

    return function


def test_ctrl_c_ends_with_130_and_says_that_the_same_command_goes_on(
    pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "versions", raising(KeyboardInterrupt()))
    for arguments in (["env"], ["--debug", "env"]):
        done = pae(*arguments)
        assert done.code == 130
        assert done.out == ""
        assert done.err == (
            "pae: stopped; a run, addition, comparison or alignment goes on from there when it is "
            "started again\n"
        )


@pytest.mark.parametrize(
    ("code", "mend"),
    [
        (errno.ENOSPC, "; free some space and run the same command again"),
        (errno.EDQUOT, "; free some space and run the same command again"),
        (errno.EACCES, "; give the permission, or choose another place"),
        (errno.EROFS, "; choose another place"),
        (errno.ENOENT, "; check the path"),
        (errno.ENOTDIR, "; check the path"),
        (errno.EISDIR, "; give a file"),
        (errno.EIO, ""),
    ],
)
def test_what_the_system_refuses_comes_with_its_file_and_a_mend(
    code: int, mend: str, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    reason = os.strerror(code)
    for file, place in (("faces/pack.pae", "faces/pack.pae: "), (None, "")):
        monkeypatch.setattr(training, "versions", raising(OSError(code, reason, file)))
        assert refusal(pae("env")) == f"pae: {place}{reason}{mend}"


def test_an_error_of_several_lines_becomes_one(pae: Pae, monkeypatch: pytest.MonkeyPatch) -> None:
    error = training.RunError("a file:\n  is broken;\n  mend it")
    monkeypatch.setattr(training, "versions", raising(error))
    done = pae("env")
    assert len(done.err.splitlines()) == 1
    refusal(done, "is broken;", "mend it")


def test_a_full_disk_behind_stdout_is_said() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("a disk that is always full: this system has no /dev/full")
    arguments = [sys.executable, "-m", "paenet", "--help"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "pae: No space left on device; free some space and run the same command again\n"
    )


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "arguments", [["--version"], ["cache", "info"], ["report", "--published", "--json"]]
)
def test_where_nobody_reads_on_it_ends_quietly(arguments: list[str], unbuffered: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "paenet", *arguments],
        stdout=theirs,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, "")


def test_of_several_processes_one_prints(pae: Pae, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    assert pae("env", "--json").out == ""
    monkeypatch.setenv("RANK", "0")
    assert pae("env", "--json").out != ""
