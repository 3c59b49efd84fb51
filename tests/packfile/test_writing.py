"""What is written is what was there, and a failed writing loses nothing."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from paenet.packfile import (
    BackboneSpec,
    PackFileError,
    check,
    describe,
    read,
    shapes,
    write,
)
from paenet.packing import Pack
from tests.packfile.files import ABOUT, SPEC, grown, same_tensors, saved, tiny
from tests.packing.networks import (
    NETWORKS,
    Builder,
    Promise,
    batch_norm,
    check_owners,
    head,
    packed,
    teach,
)


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_saving_and_loading_leave_every_task_bit_identical(
    builder: Builder, tmp_path: Path
) -> None:
    pack, promise = grown(builder)
    loaded = read(saved(pack, tmp_path), backbone=builder).pack
    promise.check(loaded)
    check_owners(loaded)
    assert same_tensors(pack, loaded)


def test_a_pack_that_was_read_writes_the_same_bytes(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    before = path.read_bytes()
    file = read(path, backbone=batch_norm)
    write(file.pack, path, backbone=file.spec, about=file.about)
    assert path.read_bytes() == before


def test_a_pack_that_was_read_goes_on_as_if_it_had_never_been_written(tmp_path: Path) -> None:
    pack, promise = grown()
    loaded = read(saved(pack, tmp_path), backbone=batch_norm).pack
    for one in (pack, loaded):
        torch.manual_seed(1)  # of the heads' initial values
        teach(one, "next", sees="all")
        learner = one.learn("wider", head=head(), sees="base")
        learner.widen(3.0)
        learner.freeze()
    assert pack.fingerprint("next") == loaded.fingerprint("next")
    assert pack.fingerprint("wider") == loaded.fingerprint("wider")
    promise.check_older(loaded)
    assert check(saved(loaded, tmp_path), backbone=batch_norm).ok


def test_removing_a_task_and_saving_leaves_the_others_bit_identical(tmp_path: Path) -> None:
    pack, promise = grown()
    pack.remove("mood")
    promise.release("mood")
    loaded = read(saved(pack, tmp_path), backbone=batch_norm).pack
    promise.check(loaded)
    loaded.remove("age")
    loaded.remove("base")
    assert read(saved(loaded, tmp_path), backbone=batch_norm).pack.tasks == {}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_another_precision_is_kept(dtype: torch.dtype, tmp_path: Path) -> None:
    pack, promise = Pack(nn.Linear(192, 6).to(dtype)), Promise()
    pack.learn("a", head=nn.ReLU()).freeze()
    probe = torch.ones(2, 192, dtype=dtype)
    expected = pack.materialize("a")(probe)
    promise.made["a"] = (pack.fingerprint("a"), expected)
    loaded = read(saved(pack, tmp_path), backbone=nn.Linear(192, 6)).pack
    assert loaded.fingerprint("a") == pack.fingerprint("a")
    assert torch.equal(loaded.materialize("a")(probe), expected)


def test_a_task_with_the_norms_of_the_base_stores_none(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "borrower", norms="base")
    path = saved(pack, tmp_path)
    loaded = read(path, backbone=batch_norm).pack
    assert loaded.tasks["borrower"].private == {}
    assert loaded.fingerprint("borrower") == pack.fingerprint("borrower")


def test_notes_and_what_the_maker_says_come_back(tmp_path: Path) -> None:
    pack = tiny()
    pack.tasks["a"].notes = {"goal": {"within": 0.01}, "classes": ("zwölf", "★"), "lost": None}
    path = saved(pack, tmp_path)
    file = read(path, backbone=nn.Linear(2, 2))
    expected = {"goal": {"within": 0.01}, "classes": ["zwölf", "★"], "lost": None}
    assert file.pack.tasks["a"].notes == expected
    assert (file.spec, file.about) == (SPEC, ABOUT)
    assert describe(path)["tasks"][0]["notes"] == expected


def test_a_builders_name_will_do(tmp_path: Path) -> None:
    pack, _ = grown(batch_norm)
    for name, backbone in (("spec", BackboneSpec("own:build")), ("name", "own:build")):
        write(pack, tmp_path / name, backbone=backbone)
    assert (tmp_path / "name").read_bytes() == (tmp_path / "spec").read_bytes()


def test_numbers_that_are_not_finite_become_null(tmp_path: Path) -> None:
    pack = tiny()
    pack.tasks["a"].notes = {"mae": float("nan"), "all": [float("inf"), 1.5]}
    assert describe(saved(pack, tmp_path))["tasks"][0]["notes"] == {"mae": None, "all": [None, 1.5]}


@pytest.mark.parametrize("value", [{1: 2}, torch.ones(1), {"deep": [object()]}])
def test_notes_that_json_does_not_have_are_named(value: Any, tmp_path: Path) -> None:
    pack = tiny()
    pack.tasks["b"].notes = {"mine": value}
    with pytest.raises(PackFileError, match=r"pack\.pae: task 'b': notes\.mine"):
        saved(pack, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_notes_too_deep_to_be_read_again_are_refused(tmp_path: Path) -> None:
    pack, notes = tiny(), {}
    for _ in range(70):
        notes = {"in": notes}
    pack.tasks["b"].notes = notes
    with pytest.raises(PackFileError, match="nested more than 64 deep"):
        saved(pack, tmp_path)


def test_a_pack_that_has_learnt_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackFileError, match="freeze a task"):
        saved(packed(batch_norm), tmp_path)


@pytest.mark.parametrize("level", [1, 19])
def test_every_level_holds_the_same(level: int, tmp_path: Path) -> None:
    pack, promise = grown()
    path = tmp_path / "pack.pae"
    write(pack, path, backbone=SPEC, level=level)
    promise.check(read(path, backbone=batch_norm).pack)


@pytest.mark.parametrize("level", [0, -1, 20])
def test_a_level_that_does_not_exist_is_refused(level: int, tmp_path: Path) -> None:
    with pytest.raises(PackFileError, match=f"level {level}: give 1 to 19"):
        write(tiny(), tmp_path / "pack.pae", backbone=SPEC, level=level)


def test_an_owner_that_is_no_task_is_not_written(tmp_path: Path) -> None:
    pack = tiny()
    layer = next(iter(pack.layers.values()))
    layer.owner[layer.owner == 1] = 9
    with pytest.raises(PackFileError, match="layer '': slot 9 owns 2 weights and is no task"):
        saved(pack, tmp_path)


def test_a_free_weight_that_is_not_zero_is_not_written(tmp_path: Path) -> None:
    pack = tiny()
    pack.remove("b")
    layer = next(iter(pack.layers.values()))
    layer.theta[layer.owner == 0] = 0.5
    with pytest.raises(PackFileError, match="layer '': 2 free weights are not zero"):
        saved(pack, tmp_path)


@pytest.mark.parametrize("again", [False, True], ids=["learnt", "read"])
def test_a_task_that_became_another_is_not_written(again: bool, tmp_path: Path) -> None:
    pack, _ = grown()
    path = saved(pack, tmp_path)
    if again:
        pack = read(path, backbone=batch_norm).pack
    before, then = path.read_bytes(), pack.fingerprint("mood")
    layer = next(iter(pack.layers.values()))
    layer.theta[layer.owner == pack.tasks["mood"].slot] += 1
    now = pack.fingerprint("mood")
    message = f"task 'mood': .* {now[:16]}… and was learnt with {then[:16]}…; take .* backup, learn"
    with pytest.raises(PackFileError, match=message):
        saved(pack, tmp_path)
    assert path.read_bytes() == before
    pack.remove("mood")  # the others are as they were
    assert check(saved(pack, tmp_path), backbone=batch_norm).ok


def test_weights_of_two_types_are_not_written(tmp_path: Path) -> None:
    pack = Pack(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()))
    pack.learn("a", head=nn.Identity()).freeze()
    with pytest.raises(PackFileError, match=r"of several types \(float32, float64\); cast them"):
        saved(pack, tmp_path)


def test_what_no_reader_would_take_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = Pack(nn.Linear(300, 300))
    pack.learn("a", head=nn.Identity()).freeze()
    pack.remove("a")
    saved(pack, tmp_path)
    monkeypatch.setattr(shapes, "LEAST", 0)
    monkeypatch.setattr(shapes, "FACTOR", 1)
    with pytest.raises(PackFileError, match=r"450,000 bytes of tensors and next to nothing in"):
        saved(pack, tmp_path)


def test_layers_without_weights_come_back(tmp_path: Path) -> None:
    pack = Pack(nn.Sequential(nn.Linear(2, 0), nn.Linear(0, 2)))
    pack.learn("a", head=nn.Identity()).freeze()
    loaded = read(saved(pack, tmp_path), backbone=nn.Sequential(nn.Linear(2, 0), nn.Linear(0, 2)))
    assert loaded.pack.fingerprint("a") == pack.fingerprint("a")


def test_a_network_that_diverged_is_not_written(tmp_path: Path) -> None:
    pack = tiny()
    before = saved(pack, tmp_path).read_bytes()
    layer = next(iter(pack.layers.values()))
    layer.theta[layer.owner == 1] = float("nan")
    with pytest.raises(PackFileError, match=r"'theta\.' holds NaN"):
        saved(pack, tmp_path)
    assert (tmp_path / "pack.pae").read_bytes() == before


def test_a_folder_that_must_not_be_written_to_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Simulated, because tests may run as a user who may write anywhere.
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    pack = tiny()
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(PackFileError, match="choose a folder that you may write to"):
        saved(pack, tmp_path)


def test_a_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(PackFileError, match="make the folder first"):
        saved(tiny(), tmp_path / "nowhere")


def test_a_link_goes_on_leading_to_the_file(tmp_path: Path) -> None:
    target, link = tmp_path / "real.pae", tmp_path / "pack.pae"
    link.symlink_to(target)
    saved(tiny(), tmp_path)
    assert link.is_symlink()
    assert describe(target)["base"] == "a"


def test_a_head_with_a_layer_of_its_own_comes_back_in_a_module_that_is_handed_over(
    tmp_path: Path,
) -> None:
    class Scaled(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(scale))
            self.same = self.scale  # tensors that share memory are stored twice

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale

    pack = Pack(nn.Linear(2, 2))
    pack.learn("a", head=Scaled(3.0)).freeze()
    path = saved(pack, tmp_path)
    with pytest.raises(PackFileError, match=r"task 'a': its head .*heads={'a'"):
        read(path, backbone=nn.Linear(2, 2))
    loaded = read(path, backbone=nn.Linear(2, 2), heads={"a": Scaled(0.0)}).pack
    assert loaded.fingerprint("a") == pack.fingerprint("a")
    with pytest.raises(PackFileError, match="did you mean 'a'"):
        read(path, backbone=nn.Linear(2, 2), heads={"aa": Scaled(0.0)})


def test_a_width_that_json_does_not_have_is_named(tmp_path: Path) -> None:
    pack = tiny()
    pack.widths[0].width = (1, 2)
    with pytest.raises(PackFileError, match="widths"):
        write(pack, tmp_path / "pack.pae", backbone=BackboneSpec("small"))
