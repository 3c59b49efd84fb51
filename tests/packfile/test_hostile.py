"""A file made to harm, with digests that are right, is read or refused in one line."""

import copy
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from paenet.packfile import (
    PackFileError,
    PackFileWarning,
    check,
    container,
    decoding,
    describe,
    load,
    read,
)
from paenet.packfile.ledger import ledger
from paenet.packing import Pack
from tests.packfile.files import (
    Document,
    Frames,
    changed,
    content,
    frame,
    grown,
    on_grid,
    pick,
    reframed,
    saved,
)
from tests.packfile.grids import GRIDS
from tests.packing.networks import batch_norm

VALUES = [None, True, 0, -1, 2**31, 2**64, 10**30, 0.5, 1e308, "", "base", "\x1b[2J\n", "\ud800"]
VALUES += [[], {}, [[]], {"": {}}, ["base"], {"type": "Identity"}, {"type": "Sequential"}]
VALUES += ["float64", "codebook2", "int8", [2**39, 0], [0, 3, 3, 3], [1] * 70]
NAMES = ["theta.x", "owner.0", "head.1.x", "", "inputs.0.0x", "private.1.0.bias.", "theta.\n"]
NAMES += [
    "picked.1.0",
    "task.1.picks",
    "task.1.owners",
    "task.2.owners",
    "maps",
    "shapes",
    "task.1.tables",
    "../../x",
    "/x",
]

Place = tuple[Any, ...]


def read_it(path: Path) -> None:
    read(path, backbone=batch_norm)


def check_it(path: Path) -> None:
    check(path, backbone=batch_norm)


def load_it(path: Path) -> None:
    load(path, backbone=batch_norm)


READERS = [describe, read_it, check_it, load_it, ledger]


def refusal(function: Callable[[Path], object], path: Path) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PackFileWarning)
        try:
            function(path)
        except PackFileError as error:
            return str(error)
    return None


def places(value: object, here: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value but the whole."""
    items = enumerate(value) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, dict) else items:
        yield (*here, key)
        yield from places(inner, (*here, key))


@st.composite
def damaged_json(draw: st.DrawFn, value: Any) -> Any:
    value = copy.deepcopy(value)
    *before, last = draw(st.sampled_from(list(places(value))))
    target: Any = value
    for key in before:
        target = target[key]
    change = draw(st.sampled_from(["value", "drop", "name"]))
    taken = copy.deepcopy(target[last])
    if change == "value" or isinstance(target, list):
        target[last] = copy.deepcopy(draw(st.sampled_from(VALUES)))
    else:
        del target[last]
        if change == "name":
            target[draw(st.sampled_from(NAMES))] = taken
    return value


@st.composite
def damaged_bytes(draw: st.DrawFn, data: bytes) -> bytes:
    change = draw(st.sampled_from(["cut", "grow", "flip", "fill", "nothing"]))
    place = draw(st.integers(0, max(len(data) - 1, 0)))
    if change == "cut":
        return data[:place]
    if change == "grow":
        return data + bytes(draw(st.integers(1, 99)))
    if change == "flip" and data:
        return data[:place] + bytes([data[place] ^ draw(st.integers(1, 255))]) + data[place + 1 :]
    return bytes([draw(st.integers(0, 255))]) * len(data) if change == "fill" else b""


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    torch.manual_seed(0)
    pack = grown()[0]
    on_grid(pack, "mood", GRIDS["codebook3"])
    pick(pack, "pose", sees="all")
    return saved(pack, tmp_path_factory.mktemp("hostile")).read_bytes()


def check_refused_well(path: Path) -> None:
    for function in READERS:
        message = refusal(function, path)
        assert message is None or message.startswith(f"{path}: ")
        assert message is None or message.isprintable()


@given(data=st.data())
@settings(max_examples=80)
def test_any_damage_is_read_or_refused_in_one_line(
    original: bytes, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    def change(document: Document, frames: Frames) -> None:
        what = data.draw(st.sampled_from(["document", "shapes", "content", "frame", "stream"]))
        name = data.draw(st.sampled_from(sorted(frames)))
        if what == "document":
            damaged = data.draw(damaged_json(document))
            document.clear()
            document.update(damaged)
        elif what == "shapes":
            table = json.loads(content(frames["shapes"]))
            frames["shapes"] = frame(json.dumps(data.draw(damaged_json(table))).encode())
        elif what == "content":
            frames[name] = frame(data.draw(damaged_bytes(content(frames[name]))))
        elif what == "frame":
            frames[name] = data.draw(damaged_bytes(frames[name]))
        else:
            frames[data.draw(st.sampled_from(NAMES))] = frames.pop(name)

    path = tmp_path_factory.getbasetemp() / "damaged.pae"
    path.write_bytes(original)
    check_refused_well(reframed(path, change))


Attack = Callable[[Frames, str], None]


def replaced(make: Callable[[bytes], bytes]) -> Attack:
    return lambda frames, name: frames.update({name: make(frames[name])})


ATTACKS: dict[str, Attack] = {
    "missing": lambda frames, name: frames.pop(name) and None,
    "nothing": replaced(lambda data: b""),
    "truncated": replaced(lambda data: data[:-1]),
    "noise": replaced(lambda data: b"noise"),
    "shorter": replaced(lambda data: frame(content(data)[:-1])),
    "longer": replaced(lambda data: frame(content(data) + b"\0")),
    "behind": replaced(lambda data: data + b"noise"),
    "bomb": replaced(lambda data: frame(content(data) + bytes(2**25))),
    "other": lambda frames, name: frames.update({name: frames["task.3.values.0"][::-1]}),
}
STREAMS = ["shapes", "maps", "task.1.owners", "task.1.values.3", "task.3.private", "task.4.head"]
STREAMS += ["task.4.tables", "task.4.values.0", "task.4.owners", "task.2.picks"]


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_stream_that_is_not_what_it_must_be_is_named(
    attack: Attack, original: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "pack.pae"
    for name in STREAMS:
        path.write_bytes(original)
        reframed(path, lambda document, frames, name=name: attack(frames, name))
        for function in (read_it, load_it, ledger):
            message = refusal(function, path)
            assert message is not None
            assert f"stream '{name}'" in message
            assert message.isprintable()
        assert not check(path, backbone=batch_norm).ok


NOT_FINITE = [float("nan"), float("inf")]


@pytest.mark.parametrize("value", NOT_FINITE)
@pytest.mark.parametrize("coding", ["int8", "codebook4"])
def test_tables_that_are_not_finite_are_refused(value: float, coding: str, tmp_path: Path) -> None:
    pack = Pack(nn.Linear(40, 40))
    pack.learn("a", head=nn.Identity()).freeze()
    on_grid(pack, "a", GRIDS[coding])
    octets = torch.tensor([value]).numpy().tobytes()

    def change(document: Document, frames: Frames) -> None:
        assert document["tasks"][0]["codings"]["values"] == coding
        at = 0 if coding == "int8" else 1
        table = content(frames["task.1.tables"])
        frames["task.1.tables"] = frame(table[:at] + octets + table[at + 4 :])

    path = reframed(saved(pack, tmp_path), change)
    for function in (read, load):
        with pytest.raises(PackFileError, match=r"'theta\.' holds NaN or infinity"):
            function(path, backbone=nn.Linear(40, 40))


def test_an_index_beyond_a_codebook_is_refused(tmp_path: Path) -> None:
    pack = Pack(nn.Linear(40, 40))
    pack.learn("a", head=nn.Identity()).freeze()
    on_grid(pack, "a", GRIDS["codebook4"])

    def change(document: Document, frames: Frames) -> None:
        table = content(frames["task.1.tables"])
        assert table[0] == 15
        frames["task.1.tables"] = frame(bytes([3]) + table[1 : 1 + 4 * 4])

    path = reframed(saved(pack, tmp_path), change)
    for function in (read, load):
        with pytest.raises(PackFileError, match=r"'theta\.' holds NaN or infinity"):
            function(path, backbone=nn.Linear(40, 40))


@pytest.mark.parametrize("kind", ["private", "head"])
def test_norms_and_heads_that_are_not_finite_are_refused(
    kind: str, original: bytes, tmp_path: Path
) -> None:
    def change(document: Document, frames: Frames) -> None:
        data = content(frames[f"task.1.{kind}"])
        frames[f"task.1.{kind}"] = frame(b"\xff" * len(data))

    path = tmp_path / "pack.pae"
    path.write_bytes(original)
    reframed(path, change)
    for function in (read_it, load_it):
        assert "holds NaN or infinity" in str(refusal(function, path))


LEAVING = ["../../outside", "/outside", "..\\outside", "task.1.owners/../../outside"]


@pytest.mark.parametrize("name", LEAVING)
def test_names_lead_nowhere(name: str, original: bytes, tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    path = inner / "pack.pae"

    def stream(document: Document, frames: Frames) -> None:
        frames[name] = frames["task.1.head"]

    def tensor(document: Document, frames: Frames) -> None:
        table = json.loads(content(frames["shapes"]))
        table[name] = ["float32", [1, 1]]
        frames["shapes"] = frame(json.dumps(table).encode())

    def child(document: Document, frames: Frames) -> None:
        layer = document["tasks"][0]["head"]
        document["tasks"][0]["head"] = {"type": "Sequential", "children": [[name, layer]]}

    def task(document: Document, frames: Frames) -> None:
        document["tasks"][2]["name"] = name

    for change in (stream, tensor, child, task):
        path.write_bytes(original)
        reframed(path, change)
        check_refused_well(path)
        assert change is task or refusal(read_it, path) is not None
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [path]


def test_more_layers_times_tasks_than_can_be_are_refused(
    original: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pack.pae"
    path.write_bytes(original)
    monkeypatch.setattr(decoding, "_MOST_PARTS", 12)
    read_it(path)
    monkeypatch.setattr(decoding, "_MOST_PARTS", 11)
    for function in (read_it, load_it, ledger):
        assert "3 layers for 4 tasks, more than can be" in str(refusal(function, path))


def test_weights_of_several_types_are_refused(original: bytes, tmp_path: Path) -> None:
    def change(document: Document, frames: Frames) -> None:
        table = json.loads(content(frames["shapes"]))
        name = next(name for name in table if name.startswith("theta."))
        table[name][0] = "float64"
        frames["shapes"] = frame(json.dumps(table).encode())

    path = tmp_path / "pack.pae"
    path.write_bytes(original)
    reframed(path, change)
    for function in (read_it, load_it, ledger):
        assert "has weights of several types (float32, float64)" in str(refusal(function, path))


def test_a_header_of_the_largest_size_is_refused_in_time(tmp_path: Path) -> None:
    path = tmp_path / "huge.pae"
    head = (b'{"a":[' + b"[]," * (2**24 // 3))[: 2**24]
    path.write_bytes(len(head).to_bytes(8, "little") + head)
    assert "is not JSON" in str(refusal(describe, path))


def test_a_file_without_tasks_promises_nothing(tmp_path: Path) -> None:
    container.save(tmp_path / "bare.pae", {"tasks": []}, {})
    check_refused_well(tmp_path / "bare.pae")


def test_a_width_that_makes_the_callers_network_enormous_is_refused_before_it_is_built(
    tmp_path: Path,
) -> None:
    built: list[float] = []

    def build(width: float) -> nn.Module:
        network = nn.Linear(round(8 * width), 8)
        if network.weight.device.type != "meta":
            built.append(width)
        return network

    pack = Pack(build)
    pack.learn("base", head=nn.Identity()).freeze()
    path = saved(pack, tmp_path)
    built.clear()

    def widen(document: dict[str, Any], _: dict[str, torch.Tensor]) -> None:
        document["widths"] = [2.0**30]

    with pytest.raises(PackFileError, match=r"at width 1073741824.0 takes .* bytes, more than"):
        read(changed(path, widen), backbone=build)
    assert not built
