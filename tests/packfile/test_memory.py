"""Reading takes no more memory than a file of its size may promise, whatever is in it."""

import subprocess
import sys
from pathlib import Path

import pytest

LIMITED = """
import gc, json, resource, sys
from pathlib import Path

import numpy as np
from torch import nn

from paenet.packfile import PackFileError, check, describe, load, read, shapes
from paenet.packfile.ledger import ledger
from tests.packfile.files import content, frame, reframed, saved, tiny

# What is taken beside the tensors: while a layer is decoded, about three times as much again.
TIMES = 6
# An eighth of what may be promised in earnest takes an eighth of the time.
shapes.LEAST, shapes.FACTOR = shapes.LEAST // 8, shapes.FACTOR // 8

folder = Path(sys.argv[1])
network = nn.Linear(2, 2)
READERS = {
    "describe": describe,
    "read": lambda path: read(path, backbone=network),
    "load": lambda path: load(path, backbone=network),
    "check": lambda path: check(path, backbone=network),
    "ledger": ledger,
}
path = saved(tiny(), folder)
original = path.read_bytes()
for function in READERS.values():  # so that what is made once is there already
    function(path)


def resized(frames, rows, columns):
    table = json.loads(content(frames["shapes"]))
    table["theta."] = ["float32", [rows, columns]]
    frames["shapes"] = frame(json.dumps(table).encode())


def filled(rows, columns, picks=False):
    def change(document, frames):
        resized(frames, rows, columns)
        first, second = np.full(rows * columns, 255, np.uint8), b""
        frames["task.1.owners"] = frame(np.packbits(first).tobytes())
        frames["task.2.owners"] = frame(second)
        if picks:
            document["tasks"][1]["picks"] = True
            frames["task.2.picks"] = frames["task.1.owners"]
        for name in frames:
            if name.startswith("task.1.values"):
                frames[name] = frame(bytes(rows * columns))
            elif name.startswith("task.2.values"):
                frames[name] = frame(second)
    return change


def shared(rows, columns):
    def change(document, frames):
        filled(rows, columns)(document, frames)
        second = document["tasks"][1]
        for slot in range(3, 256):
            document["tasks"].append({**second, "name": str(slot), "slot": slot})
            for name in [name for name in frames if name.startswith("task.2.")]:
                frames[name.replace("2", str(slot), 1)] = frame(b"")
    return change


def shaped(rows, columns):
    return lambda document, frames: resized(frames, rows, columns)


def streamed(name, data):
    return lambda document, frames: frames.update({name: data})


bomb = frame(bytes(2**29))
window = b"\\x28\\xb5\\x2f\\xfd\\xe0" + b"\\xff" * 8 + bomb[12:]
deep = frame(b'{"a":' + b"[" * 2**23)
wide = frame(b'{"a":[' + b"[]," * 2**22)
long = frame(b'{"a":"' + b"x" * 2**29 + b'"}')
FILES = {
    "as many weights as may be promised": filled(2**13, 2**9 + 2**8),
    "as many weights to pick from": filled(2**13, 2**9 + 2**7, picks=True),
    "as many weights for as many tasks as can be": shared(2**8, 2**8 + 2**7),
    "more weights for as many tasks as can be": shared(2**11, 2**11),
    "more weights": shaped(2**13, 2**13),
    "far more weights": shaped(2**19, 2**19),
    "many rows of nothing": shaped(2**39, 0),
    **{
        f"{what} as {name}": streamed(name, data)
        for what, data in {
            "bomb": bomb, "window": window, "deep": deep, "wide": wide, "long": long
        }.items()
        for name in ("shapes", "task.1.owners", "task.1.values.0", "task.1.private", "task.1.head")
    },
}
for what, change in FILES.items():
    path.write_bytes(original)
    reframed(path, change)
    size = path.stat().st_size
    gc.collect()
    with open("/proc/self/statm") as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    limit = used + TIMES * (shapes.LEAST + shapes.FACTOR * min(size, 2**14))
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    for name, function in READERS.items():
        try:
            function(path)
        except PackFileError:
            pass
        except BaseException as error:
            sys.exit(f"{what}: {name}: {error!r}")
    resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print("all", len(FILES))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's limit on memory")
def test_reading_keeps_to_what_a_file_may_promise(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("all ")
