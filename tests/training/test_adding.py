"""A pack without a recipe: made of a network, one task more, one less, none ever changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from filelock import FileLock
from safetensors.torch import load_file, save_file
from torch import Tensor

from paenet import packfile, training
from paenet.training import GoalMissed, RunError
from paenet.training.algorithm import addition, stages
from tests.packfile.files import Scaled
from tests.training import toys

OWN = {"backbone": toys.BACKBONE}
WEIGHTS = 658  # of the tiny network

Add = Callable[..., Path]


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """The weights of a trained network."""
    path = tmp_path / "given.safetensors"
    save_file({k: v.contiguous() for k, v in toys.tiny().state_dict().items()}, path)
    return path


@pytest.fixture
def pack(tmp_path: Path, given: Path) -> Path:
    """A pack of the given network, half of it free."""
    return made(tmp_path / "pack.pae", given)


def made(path: Path, weights: Path | None = None, release: float = 0.5) -> Path:
    """A pack whose networks are shown pictures of the toys' size; `init` takes the backbone's."""
    source = None if weights is None else str(weights)
    training.init(path, toys.BACKBONE, weights=source, release=release)
    held = packfile.read(path, backbone=toys.tiny)
    about = {**held.about, "input": {**held.about["input"], "size": toys.SIZE}}
    packfile.write(held.pack, path, backbone=held.spec, about=about)
    return path


@pytest.fixture
def add(faces: Path) -> Add:
    """Adds a task of some name, which has a plan like any other."""

    def add(pack: Path, name: str, how: dict[str, Any] | None = None, **plan: Any) -> Path:
        path = pack.with_name(f"{name}.yaml")
        path.write_text(yaml.safe_dump(toys.task(name, faces, **plan)))
        return training.add(pack, path, **OWN, **(how or {}))

    return add


def outputs(pack: Path, name: str) -> Tensor:
    """What a task says of one batch of images."""
    images = torch.randn(5, 3, toys.SIZE, toys.SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return packfile.read(pack, backbone=toys.tiny).pack.materialize(name)(images)


def sound(pack: Path) -> bool:
    report = packfile.check(pack, backbone=toys.tiny)
    return report.ok and not report.skipped


# ---------------------------------------------------------------- init


def test_a_dense_pack_says_what_the_given_network_says(tmp_path: Path, given: Path) -> None:
    pack = made(tmp_path / "dense.pae", given, release=0)
    network = toys.tiny().eval()
    network.load_state_dict(load_file(given))
    images = torch.randn(5, 3, toys.SIZE, toys.SIZE, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(network(images), outputs(pack, "base"))
    assert packfile.read(pack, backbone=toys.tiny).pack.weights("base") == WEIGHTS


@pytest.mark.parametrize("release", [0.25, 0.5, 0.9])
def test_the_share_that_is_released_is_free_and_zero(
    release: float, tmp_path: Path, given: Path
) -> None:
    pack = packfile.read(made(tmp_path / "p.pae", given, release), backbone=toys.tiny).pack
    assert pack.weights("base") == pytest.approx((1 - release) * WEIGHTS, abs=4)
    for layer in pack.layers.values():
        assert not layer.theta[layer.owner == 0].any()


def test_a_file_that_exists_is_not_replaced(pack: Path) -> None:
    before = pack.read_bytes()
    with pytest.raises(RunError, match=f"{pack}: exists already; remove it, or choose another"):
        training.init(pack, toys.BACKBONE)
    assert pack.read_bytes() == before


# ---------------------------------------------------------------- add


def test_tasks_are_added_and_the_others_stay_bit_identical(pack: Path, add: Add) -> None:
    before = {"base": (toys.fingerprints(pack)["base"], outputs(pack, "base"))}
    for name in ("a", "b"):
        assert add(pack, name) == pack.with_name(f"pack.{name}.run")
        for other, (fingerprint, said) in before.items():
            assert toys.fingerprints(pack)[other] == fingerprint
            assert torch.equal(outputs(pack, other), said)
        before[name] = (toys.fingerprints(pack)[name], outputs(pack, name))
        assert sound(pack)
    learnt = toys.entries(pack.with_name("pack.b.run"))["b/learnt"]["tasks"]
    assert {name: state["fingerprint"] for name, state in learnt.items()} == {
        name: fingerprint for name, (fingerprint, _) in before.items()
    }


def test_a_network_without_trained_weights_learns_as_well(tmp_path: Path, add: Add) -> None:
    pack = made(tmp_path / "random.pae")
    add(pack, "a", goal={"within": 0.5})  # the dense network is drawn anew
    assert list(toys.fingerprints(pack)) == ["base", "a"]


def test_heads_that_a_file_cannot_describe_are_handed_over(pack: Path, add: Add) -> None:
    held = packfile.read(pack, backbone=toys.tiny)
    held.pack.learn("own", head=Scaled(3.0)).freeze()
    packfile.write(held.pack, pack, backbone=held.spec, about=held.about)
    with pytest.raises(packfile.CodeNeededError, match=r"task 'own': its head .*heads={'own'"):
        add(pack, "a")
    heads = {"own": Scaled(0.0)}
    add(pack, "a", {"heads": heads})
    add(pack, "b", {"heads": heads})
    training.remove(pack, "a", **OWN, heads=heads)
    found = packfile.read(pack, backbone=toys.tiny, heads=heads).pack
    assert list(found.tasks) == ["base", "own", "b"]
    assert found.fingerprint("own") == held.pack.fingerprint("own")


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_an_addition_killed_half_way_goes_on(
    steps: int, pack: Path, add: Add, tmp_path: Path
) -> None:
    before, other = pack.read_bytes(), tmp_path / "other.pae"
    shutil.copy(pack, other)
    with pytest.raises(toys.Killed):
        add(pack, "a", {"reporter": toys.Mortal(steps)})
    assert pack.read_bytes() == before
    add(pack, "a")
    add(other, "a")
    assert toys.fingerprints(pack) == toys.fingerprints(other)


@pytest.mark.parametrize("written", [False, True])
def test_an_addition_killed_beside_the_writing_of_the_pack_goes_on(
    written: bool, pack: Path, add: Add, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, write = shutil.copy(pack, tmp_path / "other.pae"), packfile.write

    def die(*arguments: Any, **keywords: Any) -> None:
        if written:
            write(*arguments, **keywords)
        raise toys.Killed

    with monkeypatch.context() as patch:
        patch.setattr(addition.packfile, "write", die)
        with pytest.raises(toys.Killed):
            add(pack, "a")
    assert ("a" in toys.fingerprints(pack)) == written
    with monkeypatch.context() as patch:
        patch.setattr(stages, "fit", None)  # all training is on record
        add(pack, "a")
    add(Path(other), "a")
    assert toys.fingerprints(pack) == toys.fingerprints(Path(other))
    assert toys.entries(pack.with_name("pack.a.run"))["a/learnt"]["tasks"].keys() == {"base", "a"}


def test_an_addition_that_is_done_does_nothing_more(
    pack: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = add(pack, "a")
    before = [path.read_bytes() for path in (pack, folder / "record.jsonl")]
    monkeypatch.setattr(stages, "fit", None)  # to be called by no one
    add(pack, "a")
    assert [path.read_bytes() for path in (pack, folder / "record.jsonl")] == before


@pytest.mark.parametrize("name", ["base", "a"])
def test_a_task_that_the_pack_has_is_not_learnt_twice(name: str, pack: Path, add: Add) -> None:
    shutil.rmtree(add(pack, "a"))  # the record is gone: this could be another task of that name
    before = pack.read_bytes()
    with pytest.raises(RunError, match=f"{pack}: has a task '{name}' already; remove it, or"):
        add(pack, name)
    assert pack.read_bytes() == before


def test_a_missed_goal_leaves_the_pack_as_it_was(pack: Path, add: Add) -> None:
    before = pack.read_bytes()
    with pytest.raises(GoalMissed, match="task 'a': reached accuracy"):
        add(pack, "a", goal={"at_least": 1.5}, widen={"times": 0})
    assert pack.read_bytes() == before
    add(pack, "a")  # its plan may change
    assert sound(pack)


# ---------------------------------------------------------------- the dense network


def sha(pack: Path) -> str:
    return str(packfile.describe(pack)["about"]["weights"]["sha256"])[:16]


@pytest.mark.parametrize("start", ["given", "zero", "unsaid", "not at hand"])
def test_free_weights_begin_at_the_given_networks_where_it_is_at_hand(
    pack: Path, given: Path, add: Add, start: str
) -> None:
    how = {} if start == "not at hand" else {"weights": str(given)}
    plan = {"start": start} if start in ("given", "zero") else {}
    untrained = {"budget": {"epochs": 0}, "prune": {"to": 0.0, "stages": 0}}
    heard = toys.Heard()
    add(pack, "b", {**how, "reporter": heard}, **untrained, **plan)
    told = any("to begin at those of the dense network 'given.saf" in line for line in heard.lines)
    assert told == (start == "not at hand")
    held = packfile.read(pack, backbone=toys.tiny).pack
    slot, values = held.tasks["b"].slot, load_file(given)
    for name, layer in held.layers.items():
        own = layer.theta[layer.owner == slot]
        if start in ("given", "unsaid"):
            assert torch.equal(own, values[f"{name}.weight"][layer.owner == slot])
        else:
            assert not own.any()


def test_weights_that_are_given_later_are_begun_at(pack: Path, given: Path, add: Add) -> None:
    folder = pack.with_name("pack.a.run")
    with pytest.raises(GoalMissed):
        add(pack, "a", goal={"at_least": 1.5})
    with pytest.raises(GoalMissed):
        add(pack, "a", {"weights": str(given)}, goal={"at_least": 1.5})
    record = training.read_record(folder)
    starts = [entry["pack"] for entry in record if entry["key"] == "a/train"]
    assert len(set(starts)) == 2


def test_a_goal_within_a_reference_asks_for_the_dense_weights(
    pack: Path, given: Path, add: Add
) -> None:
    before = pack.read_bytes()
    with pytest.raises(RunError) as caught:
        add(pack, "a", goal={"within": 0.5})
    message = "the dense network of 'given.safetensors' is needed; give its file with --weights"
    assert str(caught.value) == f"{message} (SHA-256 {sha(pack)}…)"
    assert pack.read_bytes() == before
    folder = add(pack, "a", {"weights": str(given)}, goal={"within": 0.5})
    assert "a/reference" in toys.entries(folder)


def test_other_weights_than_the_packs_are_refused(pack: Path, add: Add) -> None:
    other, before = pack.with_name("other.safetensors"), pack.read_bytes()
    torch.manual_seed(7)
    save_file({k: v.contiguous() for k, v in toys.tiny().state_dict().items()}, other)
    message = rf"{other}: SHA-256 [0-9a-f]{{16}}…, but the pack started from {sha(pack)}… \(given"
    with pytest.raises(RunError, match=message):
        add(pack, "a", {"weights": str(other)}, goal={"within": 0.5})
    assert pack.read_bytes() == before


# ---------------------------------------------------------------- remove


def test_a_removed_tasks_weights_are_free_and_the_others_stay_bit_identical(
    pack: Path, add: Add
) -> None:
    add(pack, "a")
    add(pack, "b")
    before, said = toys.fingerprints(pack), {name: outputs(pack, name) for name in ("base", "b")}
    training.remove(pack, "a", **OWN)
    held = packfile.read(pack, backbone=toys.tiny).pack
    assert toys.fingerprints(pack) == {name: before[name] for name in said}
    assert all(torch.equal(outputs(pack, name), said[name]) for name in said)
    assert sound(pack)
    assert sum(int((layer.owner == 0).sum()) for layer in held.layers.values()) == (
        WEIGHTS - held.weights("base") - held.weights("b")
    )


def test_a_removed_task_leaves_its_record_and_can_be_learnt_again(pack: Path, add: Add) -> None:
    for count in (1, 2):
        record = (add(pack, "a") / "record.jsonl").read_bytes()
        training.remove(pack, "a", **OWN)
        assert pack.with_name(f"pack.a.removed-{count}").joinpath("record.jsonl").read_bytes() == (
            record
        )


@pytest.mark.parametrize("failure", [toys.Killed(), OSError("no space")])
def test_a_removal_that_comes_to_nothing_can_be_asked_for_again(
    failure: BaseException, pack: Path, add: Add, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = (add(pack, "a") / "record.jsonl").read_bytes()
    before = pack.read_bytes()

    def fails(*arguments: Any, **keywords: Any) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(packfile, "write", fails)
        with pytest.raises(type(failure)):
            training.remove(pack, "a", **OWN)
    assert pack.read_bytes() == before
    assert pack.with_name("pack.a.run").joinpath("record.jsonl").read_bytes() == record
    training.remove(pack, "a", **OWN)
    add(pack, "a")


def test_a_removal_killed_before_the_pack_is_written_can_be_asked_for_again(
    pack: Path, add: Add
) -> None:
    add(pack, "a")
    pack.with_name("pack.a.run").rename(pack.with_name("pack.a.removed-1"))
    training.remove(pack, "a", **OWN)
    add(pack, "a")


def test_a_task_whose_name_is_no_files_is_removed_like_any_other(pack: Path) -> None:
    held = packfile.read(pack, backbone=toys.tiny)
    learner = held.pack.learn("age/years", head=torch.nn.Identity())
    learner.freeze()
    packfile.write(held.pack, pack, backbone=held.spec, about=held.about)
    training.remove(pack, "age/years", **OWN)
    assert list(packfile.read(pack, backbone=toys.tiny).pack.tasks) == ["base"]


def test_a_task_that_another_one_sees_is_not_removed(pack: Path, add: Add) -> None:
    add(pack, "a")
    before = pack.read_bytes()
    with pytest.raises(RunError, match=f"{pack}: task 'base' is in use by a; remove these first"):
        training.remove(pack, "base", **OWN)
    assert pack.read_bytes() == before
    assert pack.with_name("pack.a.run").is_dir()


def test_a_pack_that_another_command_is_changing_is_left_alone(pack: Path, add: Add) -> None:
    before = pack.read_bytes()
    busy = f"{pack}: another command is changing it; wait for that one"
    with FileLock(pack.with_name(".pack.pae.lock")):
        with pytest.raises(RunError, match=busy):
            add(pack, "a")
        with pytest.raises(RunError, match=busy):
            training.remove(pack, "base", **OWN)
    assert pack.read_bytes() == before
    training.remove(pack, "base", **OWN)
