"""A task that picks is in a file what it was in the pack, at one bit for each weight it sees."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from paenet.packfile import PackFileError, check, describe, extract, load, merge, read
from paenet.packing import Pack, scores_of
from paenet.packing.fingerprint import fingerprint_of
from tests.packfile.files import (
    SPEC,
    Document,
    Frames,
    Tensors,
    changed,
    content,
    frame,
    pick,
    reframed,
    saved,
)
from tests.packfile.stranger import Stranger
from tests.packing.networks import NETWORKS, Builder, Promise, batch_norm, packed, teach

STEM = "0"


def grown(builder: Builder = batch_norm) -> tuple[Pack, Promise]:
    """Tasks that pick from one and from all, with and without weights of their own, and widths."""
    torch.manual_seed(0)
    pack, promise = packed(builder), Promise()
    teach(pack, "base")
    teach(pack, "gone", sees="none")
    pick(pack, "piggyback", claims="none")
    pick(pack, "wide", 1.5, sees=["base"])
    pick(pack, "small", 0.7, sees=["base", "wide"])
    teach(pack, "later", sees="all")
    for name in pack.tasks:
        promise.make(pack, name)
    return pack, promise


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_a_task_that_picks_comes_back_bit_for_bit(builder: Builder, tmp_path: Path) -> None:
    pack, promise = grown(builder)
    path = saved(pack, tmp_path)
    again = read(path, backbone=builder).pack
    promise.check(again)
    for name, task in again.tasks.items():
        before = pack.tasks[name].picked
        assert (task.picked is None) == (before is None)
        for layer, picked in (task.picked or {}).items():
            assert before is not None
            assert torch.equal(picked, before[layer])
    loaded = load(path, backbone=builder)
    for name, (fingerprint, _) in promise.made.items():
        assert fingerprint_of(loaded[name]) == fingerprint
        assert fingerprint_of(load(path, [name], backbone=builder)[name]) == fingerprint
    assert check(path, backbone=builder).ok
    first = path.read_bytes()
    assert saved(again, tmp_path).read_bytes() == first
    stranger = Stranger(first)
    found = {task["name"]: stranger.fingerprint(task) for task in stranger.document["tasks"]}
    assert found == {name: fingerprint for name, (fingerprint, _) in promise.made.items()}


def test_only_tasks_that_pick_have_the_stream(tmp_path: Path) -> None:
    pack, _ = grown()
    path = saved(pack, tmp_path)
    document = describe(path)
    picking = {task["name"] for task in document["tasks"] if task["picks"]}
    assert picking == {"piggyback", "wide", "small"}
    streams = {name for name in document["digests"] if name.endswith(".picks")}
    assert streams == {f"task.{pack.tasks[name].slot}.picks" for name in picking}


def test_the_stream_has_a_bit_for_each_weight_that_is_seen(tmp_path: Path) -> None:
    pack = Pack(nn.Linear(5, 2, bias=False))
    learner = pack.learn("a", head=nn.Identity())
    (_, weight), *_ = learner.owned().values()
    weight.trainable.copy_(torch.tensor([[1, 1, 0, 1, 1], [1, 1, 1, 1, 1]]).bool())
    learner.freeze()
    pack.learn("b", head=nn.Identity(), picks=True).freeze()
    picked = pack.tasks["b"].picked
    assert picked is not None
    picked[""][0, 1] = picked[""][1, 4] = False
    pack.tasks["b"].fingerprint = None

    def look(document: Document, frames: Frames) -> None:
        assert content(frames["task.2.picks"]) == bytes([0b10111111, 0b00000000])

    reframed(saved(pack, tmp_path), look)


def test_loading_another_task_does_not_read_the_pick(tmp_path: Path) -> None:
    pack, promise = grown()

    def break_it(document: Document, frames: Frames) -> None:
        for name in frames:
            if name.endswith(".picks"):
                frames[name] = b"noise"

    path = reframed(saved(pack, tmp_path), break_it)
    loaded = load(path, ["later"], backbone=batch_norm)["later"]
    assert fingerprint_of(loaded) == promise.made["later"][0]
    with pytest.raises(PackFileError, match=r"picks' cannot be decompressed"):
        load(path, ["small"], backbone=batch_norm)


def test_a_stem_has_no_bits(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    pick(pack, "task", stem=STEM, sees="all")
    path = saved(pack, tmp_path)
    assert read(path, backbone=batch_norm).pack.fingerprint("task") == pack.fingerprint("task")
    assert fingerprint_of(load(path, ["task"], backbone=batch_norm)["task"]) == pack.fingerprint(
        "task"
    )

    def look(document: Document, frames: Frames) -> None:
        seen = [int((pack.layers[name].owner == 1).sum()) for name in pack.layers if name != STEM]
        assert len(content(frames["task.2.picks"])) == sum(-(-count // 8) for count in seen)

    reframed(path, look)


def test_what_it_owns_is_on_steps_of_all_that_it_sees(tmp_path: Path) -> None:
    pack = Pack(nn.Linear(64, 64))
    for name in ("base", "task"):
        learner = pack.learn(name, head=nn.Identity(), picks=True)
        with torch.no_grad():
            for theta, _ in learner.owned().values():
                theta.normal_(std=0.01)
            for scores in scores_of(learner):
                scores[torch.rand(scores.shape) < 0.5] = 0.0
        learner.prune(to=0.5)
        learner.snap("int8")
        learner.freeze()
    path = saved(pack, tmp_path)
    assert [task["codings"]["values"] for task in describe(path)["tasks"]] == ["int8", "int8"]
    again = read(path, backbone=nn.Linear(64, 64)).pack
    assert again.fingerprint("task") == pack.fingerprint("task")


def test_it_is_extracted_and_merged_as_it_was(tmp_path: Path) -> None:
    pack, promise = grown()
    path, one, other = saved(pack, tmp_path), tmp_path / "one.pae", tmp_path / "other.pae"
    assert extract(path, ["small"], one, backbone=batch_norm) == ["base", "wide", "small"]
    assert extract(path, ["piggyback"], other, backbone=batch_norm) == ["base", "piggyback"]
    merge(one, other, tmp_path / "both.pae", backbone=batch_norm)
    assert check(tmp_path / "both.pae", backbone=batch_norm).ok
    merged = read(tmp_path / "both.pae", backbone=batch_norm)
    assert merged.spec == SPEC
    for name in ("base", "wide", "small", "piggyback"):
        assert merged.pack.fingerprint(name) == promise.made[name][0]


def unpicked(document: Document, tensors: Tensors) -> None:
    slot = document["tasks"][2]["slot"]
    place = tuple(tensors[f"picked.{slot}.0"].nonzero()[0])
    tensors[f"picked.{slot}.0"][place] = False


def beyond(document: Document, tensors: Tensors) -> None:
    small = next(task for task in document["tasks"] if task["name"] == "small")
    slots = [task["slot"] for task in document["tasks"] if task["name"] in small["sees"]]
    seen = torch.isin(tensors["owner.0"], torch.tensor(slots, dtype=torch.uint8))
    tensors[f"picked.{small['slot']}.0"] = seen


def test_a_changed_pick_is_another_task(tmp_path: Path) -> None:
    report = check(changed(saved(grown()[0], tmp_path), unpicked), backbone=batch_norm)
    assert [finding.message for finding in report.findings if "piggyback" in finding.message]


def test_a_pick_beyond_a_tasks_width_is_refused(tmp_path: Path) -> None:
    path = changed(saved(grown()[0], tmp_path), beyond)
    for function in (read, load):
        with pytest.raises(PackFileError, match=r"layer '0': task 'small' picks \d+ weights that"):
            function(path, backbone=batch_norm)
    assert not check(path, backbone=batch_norm).ok


def filled_with_ones(data: bytes) -> bytes:
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    bits[-1] = 1
    return np.packbits(bits).tobytes()


ATTACKS: dict[str, tuple[Callable[[bytes], bytes | None], str]] = {
    "missing": (lambda data: None, "is missing"),
    "shorter": (lambda data: data[:-1], "ends early"),
    "longer": (lambda data: data + b"\0", "is too long"),
    "not filled": (filled_with_ones, "is not filled with zeros"),
}


@pytest.mark.parametrize(("attack", "message"), ATTACKS.values(), ids=ATTACKS)
def test_a_stream_that_is_not_what_it_must_be_is_refused(
    attack: Callable[[bytes], bytes | None], message: str, tmp_path: Path
) -> None:
    pack = Pack(nn.Linear(3, 3, bias=False))
    pack.learn("a", head=nn.Identity()).freeze()
    pack.learn("b", head=nn.Identity(), picks=True).freeze()

    def change(document: Document, frames: Frames) -> None:
        data = attack(content(frames.pop("task.2.picks")))
        if data is not None:
            frames["task.2.picks"] = frame(data)

    path = reframed(saved(pack, tmp_path), change)
    for function in (read, load):
        with pytest.raises(PackFileError, match=f"stream 'task.2.picks' {message}"):
            function(path, backbone=nn.Linear(3, 3, bias=False))
    assert not check(path, backbone=nn.Linear(3, 3, bias=False)).ok


def test_a_stream_of_a_task_that_does_not_pick_belongs_to_nothing(tmp_path: Path) -> None:
    def change(document: Document, frames: Frames) -> None:
        document["tasks"][2]["picks"] = False

    path = reframed(saved(grown()[0], tmp_path), change)
    with pytest.raises(PackFileError, match=r"picks' belongs to nothing"):
        read(path, backbone=batch_norm)


def test_picks_count_among_what_a_file_may_promise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = Pack(nn.Linear(40, 50, bias=False))
    pack.learn("a", head=nn.Identity()).freeze()
    pack.learn("b", head=nn.Identity(), picks=True).freeze()
    path = saved(pack, tmp_path)
    monkeypatch.setattr("paenet.packfile.shapes.FACTOR", 0)
    monkeypatch.setattr("paenet.packfile.shapes.LEAST", 8 * 40 * 50)
    assert read(path, backbone=nn.Linear(40, 50, bias=False)).pack.tasks["b"].picked is not None
    monkeypatch.setattr("paenet.packfile.shapes.LEAST", 8 * 40 * 50 - 1)
    with pytest.raises(PackFileError, match="promises 16,000 bytes of tensors"):
        read(path, backbone=nn.Linear(40, 50, bias=False))
