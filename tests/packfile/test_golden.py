"""Files that an earlier version wrote are read for ever, bit for bit."""

import json
from typing import Any

import pytest

from paenet.packfile import check, load, read
from paenet.packing.fingerprint import fingerprint_of
from tests.packfile.files import decoded
from tests.packfile.golden import make
from tests.packfile.stranger import Stranger

EXPECTED: dict[str, Any] = json.loads(make.EXPECTED.read_text(encoding="utf-8"))
BACKBONES = {"widths": make.grouped, "picks": make.grouped}

golden = pytest.mark.parametrize("name", EXPECTED)


def test_every_file_is_expected_and_small() -> None:
    files = {path.stem: path.stat().st_size for path in make.HERE.glob("*.pae")}
    assert files.keys() == EXPECTED.keys()
    assert max(files.values()) < 2**14


@golden
def test_every_tensor_is_what_it_was(name: str) -> None:
    document, tensors = decoded(make.HERE / f"{name}.pae")
    found = {key: make.digest(tensor) for key, tensor in tensors.items()}
    assert found == EXPECTED[name]["tensors"]
    assert {t["name"]: t["codings"] for t in document["tasks"]} == EXPECTED[name]["codings"]


@golden
def test_every_task_computes_what_it_did(name: str) -> None:
    path, backbone = make.HERE / f"{name}.pae", BACKBONES.get(name, make.dense)
    expected = EXPECTED[name]["fingerprints"]
    file = read(path, backbone=backbone)
    assert {task: file.pack.fingerprint(task) for task in file.pack.tasks} == expected
    assert {t: fingerprint_of(n) for t, n in load(path, backbone=backbone).items()} == expected
    assert check(path, backbone=backbone).tasks == tuple(expected)
    assert file.about == {"made": "once"}
    for task in file.pack.tasks.values():
        assert task.notes == {"goal": {"within": 0.01}, "classes": ["zwölf", "★"]}


@golden
def test_a_stranger_reads_it_too(name: str) -> None:
    stranger = Stranger((make.HERE / f"{name}.pae").read_bytes())
    found = {task["name"]: stranger.fingerprint(task) for task in stranger.document["tasks"]}
    assert found == EXPECTED[name]["fingerprints"]
