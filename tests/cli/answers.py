"""What a command answered, read as strictly as a script would read it."""

import json
import re
from pathlib import Path
from typing import Any, NoReturn

from paenet import packfile
from tests.cli.conftest import Done
from tests.training import toys

OWN = ("--backbone", toys.BACKBONE)
_PROGRESS = re.compile(r"\w+: (trained|widened|pruned|keeps|\d+ broken images) ?")


def document(done: Done) -> Any:
    """The one JSON document that a command printed; nothing else may stand on stdout."""
    assert done.code == 0, done.err
    return parsed(done.out)


def parsed(text: str) -> Any:
    """JSON as the standard has it: without NaN."""
    return json.loads(text, parse_constant=_refuse)


def refusal(done: Done, *parts: str | Path) -> str:
    """The one line in which a command refused; what a run says of its progress may come before."""
    assert done.code == 2, (done.code, done.err)
    assert done.out == ""
    *progress, line = done.err.splitlines()
    assert all(_PROGRESS.match(other) for other in progress), done.err
    assert line.startswith("pae: ")
    for part in parts:
        assert str(part) in line, line
    return line


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with what is in it, but for locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(".lock")
    }


def sound(path: Path) -> bool:
    """Whether a pack keeps every law, fingerprints too."""
    report = packfile.check(path, backbone=toys.tiny)
    return report.ok and not report.skipped


def small(pack: Path) -> Path:
    """Shows a pack's networks pictures of the toys' size; `pae init` takes the backbone's own."""
    held = packfile.read(pack, backbone=toys.tiny)
    about = {**held.about, "input": {**held.about["input"], "size": toys.SIZE}}
    packfile.write(held.pack, pack, backbone=held.spec, about=about)
    return pack


def flip(path: Path) -> Path:
    """One bit of a file is another."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 4
    path.write_bytes(data)
    return path


def _refuse(name: str) -> NoReturn:
    raise AssertionError(f"{name} is no JSON")
