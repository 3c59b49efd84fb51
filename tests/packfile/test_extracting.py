"""Some tasks as a file of their own: what they need and nothing else, and the same networks."""

from pathlib import Path

import pytest
import torch
from torch import nn

from paenet.packfile import PackFileError, check, describe, extract, merge, read
from tests.packfile.files import SPEC, Scaled, grown, saved
from tests.packing.networks import Promise, batch_norm, packed, teach


def test_extracted_tasks_compute_what_they_did_and_the_file_is_left_as_it_was(
    tmp_path: Path,
) -> None:
    pack, promise = grown()
    path = saved(pack, tmp_path)
    before = path.read_bytes()
    kept = extract(path, ["age"], tmp_path / "age.pae", backbone=batch_norm)
    assert kept == ["base", "age"]  # which `age` stands on
    assert path.read_bytes() == before
    found = read(tmp_path / "age.pae", backbone=batch_norm)
    assert list(found.pack.tasks) == kept
    for name in kept:
        assert found.pack.fingerprint(name) == pack.fingerprint(name)
    promise.release("mood")
    promise.check(found.pack)
    assert found.spec == SPEC
    assert check(tmp_path / "age.pae", backbone=batch_norm).ok


def test_what_a_task_sees_takes_along_what_that_one_sees(tmp_path: Path) -> None:
    pack, promise = grown()
    path = saved(pack, tmp_path)  # `mood` sees `age` alone, and `age` the base
    kept = extract(path, ["mood"], tmp_path / "mood.pae", backbone=batch_norm)
    assert kept == ["base", "age", "mood"]
    promise.check(read(tmp_path / "mood.pae", backbone=batch_norm).pack)


def test_a_task_that_is_seen_takes_along_the_base_whose_norms_it_uses(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "between", sees="none", norms="base")
    teach(pack, "last", sees=["between"])
    path = saved(pack, tmp_path)
    kept = extract(path, ["last"], tmp_path / "last.pae", backbone=batch_norm)
    assert kept == ["base", "between", "last"]
    assert check(tmp_path / "last.pae", backbone=batch_norm).ok


def test_a_file_that_is_there_already_stays(tmp_path: Path) -> None:
    pack, _ = grown()
    path = saved(pack, tmp_path)
    before = path.read_bytes()
    with pytest.raises(PackFileError, match=r"exists already; remove it, or choose another name"):
        extract(path, ["base"], path, backbone=batch_norm)
    with pytest.raises(PackFileError, match=r"exists already"):
        merge(path, path, path, backbone=batch_norm)
    assert path.read_bytes() == before


def test_a_text_is_one_name(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    assert extract(path, "age", tmp_path / "age.pae", backbone=batch_norm) == ["base", "age"]


def test_a_head_of_ones_own_is_handed_over(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    pack.learn("own", head=Scaled(3.0)).freeze()
    path, out = saved(pack, tmp_path), tmp_path / "new.pae"
    with pytest.raises(
        PackFileError, match=r"task 'own': its head .*, in Python: heads={'own': \.\.\.}$"
    ):
        extract(path, "base", out, backbone=batch_norm)
    for name in ("base", "own"):
        out.unlink(missing_ok=True)
        extract(path, name, out, backbone=batch_norm, heads={"own": Scaled(0.0)})
        task = describe(out)["tasks"][-1]
        assert (task["name"], task["fingerprint"]) == (name, pack.fingerprint(name))


def test_what_others_own_is_not_in_the_file(tmp_path: Path) -> None:
    pack, _ = grown()
    path = saved(pack, tmp_path)
    extract(path, ["base"], tmp_path / "base.pae", backbone=batch_norm)
    found = read(tmp_path / "base.pae", backbone=batch_norm).pack
    for name, layer in found.layers.items():
        wide, width = pack.layers[name], pack.widths[pack.tasks["base"].width]
        mine = width.narrow(name, wide.owner) == pack.tasks["base"].slot
        assert torch.equal(layer.owner != 0, mine)
        assert torch.equal(layer.theta, torch.where(mine, width.narrow(name, wide.theta), 0.0))
    names = [task["name"] for task in describe(tmp_path / "base.pae")["tasks"]]
    assert names == ["base"]


def test_a_task_on_the_bases_norms_takes_the_base_along(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "alone", sees="none", norms="base")
    path = saved(pack, tmp_path)
    assert extract(path, ["alone"], tmp_path / "a.pae", backbone=batch_norm) == ["base", "alone"]


def test_a_task_that_sees_no_other_goes_alone(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "base")
    teach(pack, "alone", sees="none")
    path, promise = saved(pack, tmp_path), Promise()
    promise.make(pack, "alone")
    assert extract(path, ["alone"], tmp_path / "a.pae", backbone=batch_norm) == ["alone"]
    promise.check(read(tmp_path / "a.pae", backbone=batch_norm).pack)
    assert (tmp_path / "a.pae").stat().st_size < 0.8 * path.stat().st_size


@pytest.mark.parametrize(
    ("tasks", "reason"),
    [
        (["agee"], "has no task 'agee'; did you mean 'age'?"),
        ([], "no task is asked for; known: base, age, mood"),
    ],
)
def test_a_task_that_is_not_there_is_refused(tasks: list[str], reason: str, tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    with pytest.raises(PackFileError) as caught:
        extract(path, tasks, tmp_path / "new.pae", backbone=batch_norm)
    assert str(caught.value) == f"{path}: {reason}"
    assert not (tmp_path / "new.pae").exists()


def test_code_of_ones_own_must_be_handed_over(tmp_path: Path) -> None:
    path = saved(grown()[0], tmp_path)
    with pytest.raises(PackFileError, match="hand it over: read"):
        extract(path, ["age"], tmp_path / "new.pae")
    with pytest.raises(PackFileError, match="3 widths, and a module has one"):
        extract(path, ["age"], tmp_path / "new.pae", backbone=nn.Linear(2, 2))
