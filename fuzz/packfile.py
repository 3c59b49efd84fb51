"""A search, led by coverage, for a `.pae` that is read badly; `fuzz/README.md` says how to run it.

An input is a list of changes to a sound file: to its document, its table of shapes, the content of
its streams or their frames. Digests are made right again, so that readers get past them. Whatever
the file then is, every reader must give a result or one line; and what passes every check must be
the same however it is read, and after it was written again.
"""

import copy
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris
import torch
from torch import nn

with atheris.instrument_imports(include=["paenet.packfile"]):
    from paenet.packfile import (
        PackFileError,
        PackFileWarning,
        check,
        container,
        describe,
        load,
        read,
        write,
    )
    from paenet.packfile.ledger import ledger

from paenet.packing import Pack
from paenet.packing.fingerprint import fingerprint_of
from tests.packfile.files import Document, Frames, content, frame, on_grid, pick, saved, taken_apart
from tests.packfile.grids import GRIDS
from tests.packing.networks import batch_norm, packed, teach

VALUES = [None, True, False, 0, 1, 2, -1, 255, 256, 2**31, 2**39, 2**64, 10**400, 0.0, 0.5, 1e308]
VALUES += ["", "a", "base", "x" * 64, "0" * 64, "\x1b[2J\n", "\ud800", "float32", "bfloat16"]
VALUES += ["float64", "int64", "bool", "int8", "codebook1", "codebook8", "2.0", "1.99", "0.1"]
VALUES += [[], {}, [[]], [0], [2, 2], [2**39, 0], [1] * 70, {"": {}}, ["base"]]
VALUES += [["float32", [2, 2]], ["uint8", [0]], {"type": "Identity"}, {"type": "Sequential"}]
NAMES = ["", "shapes", "maps", "theta.", "theta.x", "owner.0", "head.1.x", "private.1.0.bias"]
NAMES += ["inputs.0.0", "outputs.1.1", "task.1.owners", "task.2.owners", "task.1.tables"]
NAMES += ["task.3.picks"]
NAMES += ["task.1.values.0", "task.1.private", "../../x", "/x", "type", "children", "\ud800"]

Place = tuple[Any, ...]
Fuzzed = Any  # atheris.FuzzedDataProvider


class Original:
    """A sound file, taken apart, and the backbone that it needs."""

    def __init__(self, pack: Pack, folder: Path, backbone: Callable[[float], nn.Module]) -> None:
        self.document, self.frames = taken_apart(saved(pack, folder))
        self.backbone = backbone


def one_layer(width: float) -> nn.Module:
    """The smallest backbone that there is."""
    return nn.Linear(round(8 * width), 8)


def originals(folder: Path) -> list[Original]:
    """Files with every kind of stream."""
    torch.manual_seed(0)
    wide = packed(batch_norm)
    teach(wide, "base")
    learner = wide.learn("next", head=nn.Sequential(nn.Linear(6, 2), nn.PReLU()))
    learner.widen(1.5)
    learner.freeze()
    pick(wide, "picks", 0.7, sees="all")
    found = [Original(wide, folder, batch_norm)]
    for grids in (["codebook2", "bfloat16"], ["int8", "codebook4"]):
        pack = Pack(one_layer)
        for name in grids:
            learner = pack.learn(name, head=nn.Identity(), sees="none")
            learner.prune(to=0.5)
            learner.freeze()
            on_grid(pack, name, GRIDS[name])
        found.append(Original(pack, folder, one_layer))
    return found


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value but the whole."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield (*here, key)
        yield from places(inner, (*here, key))


def any_value(fuzzed: Fuzzed) -> Any:
    """A value to put somewhere: a strange one, a number, or a text."""
    kind = fuzzed.ConsumeIntInRange(0, 3)
    if kind == 0:
        return fuzzed.ConsumeInt(4)
    if kind == 1:
        return fuzzed.ConsumeUnicode(8)
    return copy.deepcopy(VALUES[fuzzed.ConsumeIntInRange(0, len(VALUES) - 1)])


def chosen(fuzzed: Fuzzed, items: list[Any]) -> Any:
    """One of some items."""
    return items[fuzzed.ConsumeIntInRange(0, len(items) - 1)]


def change_json(fuzzed: Fuzzed, value: Any) -> None:
    """Puts, drops or renames something somewhere in a JSON object."""
    everywhere = list(places(value))
    if not everywhere:
        return
    *before, last = chosen(fuzzed, everywhere)
    target = value
    for key in before:
        target = target[key]
    kind = fuzzed.ConsumeIntInRange(0, 3)
    if kind == 0:
        del target[last]
    elif kind == 1 and isinstance(target, dict):
        target[chosen(fuzzed, NAMES)] = copy.deepcopy(target[last])
    else:
        target[last] = any_value(fuzzed)


def change_bytes(fuzzed: Fuzzed, data: bytes) -> bytes:
    """Overwrites, cuts or lengthens."""
    kind = fuzzed.ConsumeIntInRange(0, 3)
    at = fuzzed.ConsumeIntInRange(0, len(data))
    if kind == 0:
        return data[:at]
    if kind == 1:
        return data + bytes(fuzzed.ConsumeIntInRange(1, 64))
    piece = fuzzed.ConsumeBytes(fuzzed.ConsumeIntInRange(1, 8))
    return data[:at] + piece + data[at + len(piece) :]


def change_file(fuzzed: Fuzzed, document: Document, frames: Frames) -> None:
    """One change, somewhere."""
    kind = fuzzed.ConsumeIntInRange(0, 4)
    if kind == 0 or not frames:
        change_json(fuzzed, document)
        return
    name = chosen(fuzzed, sorted(frames))
    if kind == 1 and "shapes" in frames:
        table = sound_json(frames["shapes"])
        change_json(fuzzed, table)
        frames["shapes"] = frame(json.dumps(table).encode())
    elif kind == 2:
        frames[name] = frame(change_bytes(fuzzed, sound_content(frames[name])))
    elif kind == 3:
        frames[name] = change_bytes(fuzzed, frames[name])
    else:
        data = frames.pop(name)
        if fuzzed.ConsumeBool():
            frames[chosen(fuzzed, NAMES)] = data


def sound_content(data: bytes) -> bytes:
    """What is in a frame, where an earlier change has left something in it."""
    try:
        return content(data)
    except Exception:
        return data


def sound_json(data: bytes) -> Any:
    """The table of shapes, where an earlier change has left one."""
    try:
        return json.loads(sound_content(data))
    except ValueError:
        return {}


def result_of(function: Callable[[], Any], path: Path) -> Any:
    """What a reader gives; None where it refuses, which it must do well."""
    try:
        return function()
    except PackFileError as error:
        message = str(error)
        if not message.isprintable() or not message.startswith(f"{path}: "):
            raise AssertionError(f"not one line that names the file: {message!r}") from error
        return None


def hold(path: Path, backbone: Callable[[float], nn.Module]) -> None:
    """Reads a file in every way and holds the results against each other."""
    result_of(lambda: describe(path), path)
    file = result_of(lambda: read(path, backbone=backbone), path)
    loaded = result_of(lambda: load(path, backbone=backbone), path)
    result_of(lambda: ledger(path), path)
    report = check(path, backbone=backbone)
    assert not report.ok or report.skipped or (file and loaded is not None), "checked, not read"
    if file is None or loaded is None:
        return
    fingerprints = {name: file.pack.fingerprint(name) for name in file.pack.tasks}
    assert {name: fingerprint_of(network) for name, network in loaded.items()} == fingerprints
    again = path.with_name("again.pae")
    write(file.pack, again, backbone=file.spec, about=file.about)
    copied = read(again, backbone=backbone).pack
    assert {name: copied.fingerprint(name) for name in copied.tasks} == fingerprints


def main() -> None:
    """Runs libFuzzer on its own arguments."""
    warnings.simplefilter("ignore", PackFileWarning)
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    files = originals(folder)
    os.fsync = lambda descriptor: None  # nothing here need outlive a crash
    path = folder / "fuzzed.pae"

    def one(data: bytes) -> None:
        fuzzed = atheris.FuzzedDataProvider(data)
        original = chosen(fuzzed, files)
        document, frames = copy.deepcopy(original.document), dict(original.frames)
        for _ in range(fuzzed.ConsumeIntInRange(1, 4)):
            change_file(fuzzed, document, frames)
        try:
            container.save(path, document, frames)
        except (PackFileError, ValueError):  # such as a document that is too deep to be written
            return
        if "FUZZ_KEEP" in os.environ:
            shutil.copy(path, os.environ["FUZZ_KEEP"])
        hold(path, original.backbone)

    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
