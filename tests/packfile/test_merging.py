"""Two packs that grew from one, as one: every task computes what it did, or nothing is written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from paenet.packfile import BackboneSpec, PackFileError, check, merge, read, write
from paenet.packing import Pack
from tests.packfile.files import ABOUT, SPEC, Scaled
from tests.packing.networks import batch_norm, head, packed, teach, train


def stored(pack: Pack, path: Path, **keys: object) -> Path:
    write(pack, path, backbone=SPEC, about={**ABOUT, **keys})
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A pack with one task and room for others."""
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.7)
    return stored(pack, tmp_path / "base.pae")


def again(path: Path) -> Pack:
    return read(path, backbone=batch_norm).pack


def grow(base: Path, name: str, part: Callable[[int], slice], width: float = 1.0) -> Path:
    """The base with one more task, which owns weights only in a part of each layer's rows."""
    pack = again(base)
    learner = pack.learn(name, head=head())
    if width > 1:
        learner.widen(width)
    if width < 1:
        learner.narrow(width)
    for _, weight in learner.owned().values():
        rows = part(len(weight.trainable))
        mine = weight.trainable[rows].clone()
        weight.trainable.zero_()
        weight.trainable[rows] = mine
    train(learner, 1)
    learner.freeze()
    return stored(pack, base.with_name(f"{name}.pae"))


def top(count: int) -> slice:
    return slice(0, count // 3)


def upper(count: int) -> slice:
    return slice(0, count // 2)


def lower(count: int) -> slice:
    return slice(count // 2, count)


def merged(*files: Path) -> Pack:
    out = files[0].with_name("merged.pae")
    names = merge(*files, out, backbone=batch_norm)
    assert check(out, backbone=batch_norm).ok
    pack = again(out)
    out.unlink()  # for the next
    assert list(pack.tasks) == names
    for file in files:
        for name, task in again(file).tasks.items():
            assert pack.fingerprint(name) == again(file).fingerprint(name)
            assert pack.tasks[name].notes == task.notes
    return pack


def test_tasks_that_own_different_weights_come_together(base: Path) -> None:
    pack = merged(grow(base, "age", upper), grow(base, "mood", lower))
    assert list(pack.tasks) == ["base", "age", "mood"]


def test_a_pack_and_what_grew_from_it_are_the_latter(base: Path) -> None:
    more = grow(base, "age", upper)
    for files in ((base, more), (more, base)):
        assert list(merged(*files).tasks) == ["base", "age"]


def test_a_widened_pack_takes_in_a_narrow_one(base: Path) -> None:
    wide, narrow = grow(base, "age", top, width=1.5), grow(base, "mood", lower)
    for files in ((wide, narrow), (narrow, wide)):
        pack = merged(*files)
        assert [pack.tasks[name].width for name in ("base", "mood", "age")] == [0, 0, 1]


def test_a_task_that_came_back_to_the_width_is_not_taken_for_the_base(base: Path) -> None:
    wide = grow(base, "wide", lower, width=1.5)
    pack = again(wide)
    learner = pack.learn("narrow", head=head(), sees="all")
    learner.narrow(1.0)
    for _, weight in learner.owned().values():
        weight.trainable.zero_()
    learner.freeze()
    assert [width.width for width in pack.widths] == [1.0, 1.0, 1.5]
    both, other = stored(pack, base.with_name("both.pae")), grow(base, "mood", top)
    assert set(merged(both, other).tasks) == {"base", "wide", "narrow", "mood"}


def test_heads_of_ones_own_are_handed_over(base: Path) -> None:
    pack, other, out = again(base), grow(base, "age", top), base.with_name("merged.pae")
    pack.learn("own", head=Scaled(3.0), claims="none").freeze()
    own = stored(pack, base.with_name("own.pae"))
    heads = {"own": Scaled(0.0)}
    names = merge(own, other, out, backbone=batch_norm, heads=heads)
    assert names == ["base", "own", "age"]
    found = read(out, backbone=batch_norm, heads=heads).pack
    assert found.fingerprint("own") == pack.fingerprint("own")
    with pytest.raises(PackFileError, match=r"neither file has a task 'won'; did you mean 'own'"):
        merge(own, other, base.with_name("b.pae"), backbone=batch_norm, heads={"won": head()})


def refused(*files: Path) -> str:
    out = files[0].with_name("merged.pae")
    with pytest.raises(PackFileError) as caught:
        merge(*files, out, backbone=batch_norm)
    assert not out.exists()
    return str(caught.value)


def test_tasks_that_gave_channels_up_come_along(base: Path) -> None:
    small = grow(base, "small", top, 0.5)
    other = grow(base, "other", lower)
    assert [width.width for width in merged(other, small).widths] == [0.5, 1.0]
    wide = grow(base, "wide", lower, 2.0)
    pack = merged(small, wide)
    assert [width.width for width in pack.widths] == [1.0, 0.5, 2.0]
    assert set(pack.tasks) == {"base", "small", "wide"}


def test_a_narrower_width_that_both_have_is_kept_once(base: Path) -> None:
    small = grow(base, "small", top, 0.5)
    more = grow(small, "more", lower)
    assert [width.width for width in merged(small, more).widths] == [0.5, 1.0]


def test_two_owners_of_a_weight_are_refused(base: Path) -> None:
    reason = refused(grow(base, "age", upper), grow(base, "mood", upper))
    assert "tasks 'mood' and 'age' both own" in reason
    assert "learn one after the other in one file" in reason


def test_two_tasks_of_one_name_are_refused(base: Path) -> None:
    one = grow(base, "age", upper)
    one = one.rename(one.with_name("one.pae"))
    assert "both have a task 'age', and they differ" in refused(one, grow(base, "age", lower))


def test_two_ways_of_widening_are_refused(base: Path) -> None:
    files = grow(base, "age", upper, width=1.5), grow(base, "mood", lower, width=2.0)
    assert "both were widened, each in its own way" in refused(*files)


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "other")
    assert "different bases, 'base' and 'other'" in refused(base, stored(pack, tmp_path / "o.pae"))
    pack = packed(batch_norm)
    teach(pack, "base", prune=0.5)
    reason = refused(base, stored(pack, tmp_path / "b.pae"))
    assert "both have a task 'base', and they differ" in reason


def test_other_networks_and_images_are_refused(base: Path, tmp_path: Path) -> None:
    pack = again(base)
    write(pack, tmp_path / "spec.pae", backbone=BackboneSpec("a:b"), about=ABOUT)
    assert "their backbones are" in refused(base, tmp_path / "spec.pae")
    stored(pack, tmp_path / "view.pae", input={"size": 9, "mean": 0.0, "scale": 1.0})
    assert "different sizes or scales" in refused(base, tmp_path / "view.pae")


def test_both_files_are_named(base: Path, tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "other")
    reason = refused(base, stored(pack, tmp_path / "o.pae"))
    assert reason.startswith(f"{base} and {tmp_path}/o.pae cannot be merged: ")
