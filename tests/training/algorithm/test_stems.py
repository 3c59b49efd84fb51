"""A task with a stem learns from what the stem made of its images, once; `auto` finds the stem."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from paenet import packfile, training
from paenet.packing import Pack, PackingError
from paenet.training import RecipeError, RunError
from paenet.training.algorithm.stemming import stems_to_try
from paenet.training.examples import activations as keeping
from tests.training import toys
from tests.training.algorithm.test_pretraining import few
from tests.training.conftest import Measure

CPU = torch.device("cpu")


def run(faces: Path, folder: Path, *tasks: dict[str, object], **keys: object) -> Path:
    first = toys.task("base", faces)
    recipe = toys.recipe(first, *tasks, **keys)
    return training.run(recipe, folder / "run", cache=folder / "cache")


def files(folder: Path) -> dict[str, int]:
    """Kept activations, with the time of their making."""
    kept = (folder / "cache" / "activations").rglob("*.npy")
    return {str(path): path.stat().st_mtime_ns for path in kept}


def test_a_task_with_a_stem_owns_nothing_in_it_and_is_judged_whole(
    faces: Path, tmp_path: Path
) -> None:
    budget = {"epochs": 12, "batch": 16, "rate": 0.02}
    path = run(faces, tmp_path, toys.task("light", faces, stem="0", budget=budget))
    pack = packfile.read(path, backbone=toys.tiny).pack
    assert pack.tasks["light"].stem is not None
    assert not (pack.layers["0"].owner == pack.tasks["light"].slot).any()
    assert (pack.layers["3"].owner == pack.tasks["light"].slot).any()
    learnt = toys.entries(tmp_path / "run")["light/learnt"]
    assert learnt["stem"] == "0"
    assert 0 < learnt["own_work"] < 1
    assert learnt["val"]["accuracy"]["value"] > 0.9


def test_a_stored_task_is_judged_as_its_whole_network_is(faces: Path, tmp_path: Path) -> None:
    path = run(faces, tmp_path, toys.task("light", faces, stem="0"))
    learnt = toys.entries(tmp_path / "run")["light/learnt"]
    assert len(files(tmp_path)) == 4
    for split in ("val", "test"):
        judged = training.judge(path, "light", {"table": faces}, split=split, backbone=toys.tiny)
        assert learnt[split] == judged["metrics"]


def test_a_later_task_with_the_same_stem_and_images_computes_nothing_anew(
    faces: Path, tmp_path: Path
) -> None:
    run(faces, tmp_path, toys.task("light", faces, stem="0"))
    before = files(tmp_path)
    assert len(before) == 4  # two views to train on, one to validate on, one to test on
    run(faces, tmp_path, toys.task("light", faces, stem="0"), toys.task("more", faces, stem="0"))
    assert files(tmp_path) == before


def test_a_base_of_its_own_has_activations_of_its_own(faces: Path, tmp_path: Path) -> None:
    run(faces, tmp_path, toys.task("light", faces, stem="0"))
    training.run(
        toys.recipe(toys.task("base", faces), toys.task("light", faces, stem="0"), seed=1),
        tmp_path / "other",
        cache=tmp_path / "cache",
    )
    assert len(files(tmp_path)) == 8


def test_a_pass_that_was_killed_goes_on_where_it_was(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(faces, tmp_path / "whole", toys.task("light", faces, stem="0"))
    monkeypatch.setattr(keeping, "_PIECE", 16)
    pieces: list[Path] = []
    write = keeping._write

    def killed(file: Path, values: object) -> None:
        if len(pieces) == 2:
            raise KeyboardInterrupt
        pieces.append(file)
        write(file, values)  # type: ignore[arg-type]

    monkeypatch.setattr(keeping, "_write", killed)
    with pytest.raises(KeyboardInterrupt):
        run(faces, tmp_path, toys.task("light", faces, stem="0"))
    kept = files(tmp_path)
    assert len(kept) == 2
    monkeypatch.setattr(keeping, "_write", write)
    path = run(faces, tmp_path, toys.task("light", faces, stem="0"))
    assert kept.items() <= files(tmp_path).items()
    assert toys.fingerprints(path) == toys.fingerprints(whole)


def test_without_room_the_stem_is_computed_anew_every_time(faces: Path, tmp_path: Path) -> None:
    path = run(
        faces, tmp_path, toys.task("light", faces, stem="0"), activations={"gigabytes": 1e-6}
    )
    assert not files(tmp_path)
    assert packfile.read(path, backbone=toys.tiny).pack.tasks["light"].stem is not None


def test_with_little_room_there_are_fewer_views_and_fewer_stems(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: 0.2)
    task = toys.task("light", faces, stem="auto", goal={"at_least": 0.5, "missed": "keep"})
    view = keeping.gigabytes((8,), 48)  # after either of the deepest two
    judged = keeping.gigabytes((8,), 36 + 36, exact=True)
    most = 2 * judged + 5.5 * view
    run(faces, tmp_path, task, activations={"views": 4, "gigabytes": most})
    kept = sorted(len(list(folder.iterdir())) for folder in folders(tmp_path))
    # Four views and one, and for each what it is validated on; the shallowest gives too much.
    assert kept == [1, 1, 1, 4]


@pytest.mark.parametrize("stem", ["0", "auto"])
def test_all_that_a_task_keeps_takes_no_more_than_the_limit(
    stem: str, faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: 0.2)
    budget = {"epochs": 1, "batch": 4, "rate": 0.003}
    task = toys.task(
        "light",
        faces,
        stem=stem,
        goal={"at_least": 0.5, "missed": "keep"},
        pretrain={"data": {"table": str(few(faces))}, "budget": budget},
    )
    for most in (2e-5, 1e-4, 2e-4):
        folder = tmp_path / str(most)
        run(faces, folder, task, activations={"views": 4, "gigabytes": most})
        assert sum(np.load(path).nbytes for path in files(folder)) <= most * 1e9
    assert files(folder)


def test_a_task_may_ask_for_views_of_its_own(faces: Path, tmp_path: Path) -> None:
    task = toys.task("light", faces, stem="0", views=3)
    run(faces, tmp_path, task, activations={"views": 1})
    assert sorted(len(list(folder.iterdir())) for folder in folders(tmp_path)) == [1, 1, 3]


def test_a_full_disk_is_told_with_the_mend(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(RunError, match=r"No space left .* lower activations.gigabytes"):
        run(faces, tmp_path, toys.task("light", faces, stem="0"))


def folders(folder: Path) -> list[Path]:
    return list((folder / "cache" / "activations").iterdir())


# ---------------------------------------------------------------- auto


def test_auto_takes_the_deepest_stem_that_holds_the_goal(faces: Path, tmp_path: Path) -> None:
    path = run(faces, tmp_path, toys.task("light", faces, stem="auto"))
    stem = packfile.read(path, backbone=toys.tiny).pack.tasks["light"].stem
    assert stem is not None
    assert stem.name == "7"  # all of the network: a head is enough to tell dark from light
    assert [key for key in toys.entries(tmp_path / "run") if "light/train" in key] == [
        "light/train-7"
    ]


def test_auto_goes_on_to_shallower_stems_and_at_last_to_none(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: 0.2)
    goal = {"at_least": 0.5, "missed": "keep"}
    path = run(faces, tmp_path, toys.task("light", faces, stem="auto", goal=goal))
    entries = toys.entries(tmp_path / "run")
    assert [key for key in entries if "light/train" in key] == [
        *("light/train-7", "light/train-3", "light/train-0", "light/train-none"),
    ]
    assert entries["light/learnt"]["stem"] is None
    assert packfile.read(path, backbone=toys.tiny).pack.tasks["light"].stem is None
    assert not list((tmp_path / "run").glob("state-*"))


def test_what_follows_a_stem_is_widened_before_the_next_stem_is_tried(
    faces: Path, tmp_path: Path, measure: Measure
) -> None:
    measure(lambda network: 0.2)
    goal, widen = {"at_least": 0.5, "missed": "keep"}, {"times": 1, "ratio": 2.0}
    path = run(faces, tmp_path, toys.task("light", faces, stem="0", goal=goal, widen=widen))
    entries = toys.entries(tmp_path / "run")
    assert [key for key in entries if key.startswith("light/")][:2] == [
        *("light/train", "light/widen-1"),
    ]
    assert entries["light/learnt"]["width"] == {"*": 1.0, "3": pytest.approx(2.0, rel=0.2)}
    pack = packfile.read(path, backbone=toys.tiny).pack
    assert pack.tasks["light"].stem is not None
    assert pack.widths[-1].skeleton.get_submodule("0").out_channels == 6


def test_auto_computes_all_stems_in_one_pass(faces: Path, tmp_path: Path, measure: Measure) -> None:
    measure(lambda network: 0.2)
    goal = {"at_least": 0.5, "missed": "keep"}
    run(faces, tmp_path, toys.task("light", faces, stem="auto", goal=goal))
    assert len(files(tmp_path)) == 3 * 3


def test_stems_are_computed_in_bfloat16_too(faces: Path, tmp_path: Path, measure: Measure) -> None:
    measure(lambda network: 0.2)
    goal = {"at_least": 0.5, "missed": "keep"}
    run(faces, tmp_path, toys.task("light", faces, stem="auto", goal=goal), precision="bf16")
    assert len(files(tmp_path)) == 3 * 3


def test_stems_to_try_have_half_as_much_work_again_above_from_one_to_the_next() -> None:
    pack = Pack(nn.Sequential(*(nn.Linear(4, 4) for _ in range(8))), example=torch.zeros(1, 4))
    pack.learn("base", head=nn.Identity()).freeze()
    assert stems_to_try("auto", pack, possible=True) == ["7", "6", "5", "4", None]
    assert stems_to_try("none", pack, possible=True) == [None]
    assert stems_to_try("2", pack, possible=True) == ["2"]
    assert stems_to_try("auto", pack, possible=False) == [None]


def test_stems_to_try_end_before_what_an_older_task_has_widened() -> None:
    pack = Pack(toys.tiny, example=torch.zeros(1, 3, toys.SIZE, toys.SIZE))
    pack.learn("base", head=nn.Identity()).freeze()
    deepest = stems_to_try("auto", pack, possible=True)[0]
    wide = pack.learn("wide", head=nn.Identity())
    wide.widen(1.5)
    wide.freeze()
    assert deepest is not None
    assert stems_to_try("auto", pack, possible=True) == [None]


# ---------------------------------------------------------------- refusals


def test_a_stem_that_does_not_exist_is_refused_before_anything_is_learnt(
    faces: Path, tmp_path: Path
) -> None:
    with pytest.raises(PackingError, match="stem 'block8': the network has no such place"):
        run(faces, tmp_path, toys.task("light", faces, stem="block8"))
    assert "base/train" not in toys.entries(tmp_path / "run")


def test_the_first_task_has_no_stem(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="a part of the first task's network"):
        training.run(toys.recipe(toys.task("base", faces, stem="0")), tmp_path)


def test_a_stem_that_a_method_cannot_have_is_refused_before_anything_is_learnt(
    faces: Path, tmp_path: Path
) -> None:
    tasks = toys.task("base", faces), toys.task("light", faces, stem="0")
    with pytest.raises(RecipeError, match="task 'light': stem: '0' is a part of the first"):
        training.run(toys.recipe(*tasks, method="progressive"), tmp_path)
    assert "base/train" not in toys.entries(tmp_path)


def test_a_method_that_sees_no_base_has_no_stems(faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(toys.task("a", faces, stem="auto"), method="individual")
    training.run(recipe, tmp_path)
    assert toys.entries(tmp_path)["a/learnt"]["stem"] is None
