"""A lifelong run: every task of a recipe into one file, each once, none ever changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from paenet import packfile, training
from paenet.datasets import DataError
from paenet.training import GoalMissed, RecipeError, RunError
from paenet.training.algorithm import addition
from paenet.training.locking import changing
from paenet.training.machine import precision
from paenet.training.records.journal import Journal
from paenet.training.records.progress import Silent
from tests.datasets.published.trees import put_images, put_lines
from tests.training import toys


def tasks(faces: Path, *names: str, **keys: Any) -> list[dict[str, Any]]:
    return [toys.task(name, faces, **keys) for name in names]


def contents(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file() and p.name != ".lock"}


def test_every_older_task_is_on_record_as_it_was_learnt(faces: Path, tmp_path: Path) -> None:
    path = training.run(toys.recipe(*tasks(faces, "a", "b", "c")), tmp_path)
    entries = toys.entries(tmp_path)
    for name in "abc":
        later = [entries[f"{other}/learnt"]["tasks"][name] for other in "abc" if other >= name]
        assert all(state == later[0] for state in later)
        assert later[0]["fingerprint"] == toys.fingerprints(path)[name]
    assert packfile.check(path, backbone=toys.tiny).ok
    assert entries["c/learnt"]["weights"]["seen"] == entries["a/learnt"]["weights"]["owned"]


def test_what_the_file_keeps_of_a_task_is_what_the_record_has(faces: Path, tmp_path: Path) -> None:
    path = training.run(toys.recipe(*tasks(faces, "a", terms="free")), tmp_path)
    notes = packfile.read(path, backbone=toys.tiny).pack.tasks["a"].notes
    learnt = toys.entries(tmp_path)["a/learnt"]
    assert notes["validation"] == learnt["val"]
    assert notes["test"] == learnt["test"]
    assert notes["goal"] == learnt["goal"]
    assert (notes["method"], notes["terms"]) == ("pae", "free")
    assert notes["task"]["classes"] == ["dark", "light"]


def test_a_run_that_is_done_does_nothing_more(faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(*tasks(faces, "a", "b"))
    training.run(recipe, tmp_path)
    before = contents(tmp_path)
    training.run(recipe, tmp_path)
    assert contents(tmp_path) == before


def test_a_longer_recipe_goes_on_and_a_task_still_to_be_learnt_may_change(
    faces: Path, tmp_path: Path
) -> None:
    hopeless = toys.task("b", faces, goal={"at_least": 1.5}, widen={"times": 0})
    with pytest.raises(GoalMissed, match=r"task 'b': reached accuracy .* tasks learnt so far are"):
        training.run(toys.recipe(*tasks(faces, "a"), hopeless), tmp_path)
    before = toys.fingerprints(tmp_path / "pack.pae")
    path = training.run(toys.recipe(*tasks(faces, "a", "b", "c")), tmp_path)
    after = toys.fingerprints(path)
    assert list(after) == ["a", "b", "c"]
    assert after["a"] == before["a"]


def test_a_seed_says_it_all(faces: Path, tmp_path: Path) -> None:
    found = [
        toys.fingerprints(training.run(toys.recipe(*tasks(faces, "a"), seed=seed), tmp_path / name))
        for name, seed in (("one", 0), ("two", 0), ("three", 1))
    ]
    assert found[0] == found[1] != found[2]


def test_a_limit_takes_so_many_examples_of_every_split(faces: Path, tmp_path: Path) -> None:
    plan = toys.task("a", faces, pairs=str(toys.pairs(faces)))
    training.run(toys.recipe(plan), tmp_path, limit=5)
    assert toys.entries(tmp_path)["a/learnt"]["examples"] == {"train": 5, "val": 5, "test": 5}


def test_a_run_says_in_what_it_computes_and_keeps_to_it_elsewhere(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = toys.recipe(*tasks(faces, "a"), precision="auto")
    monkeypatch.setattr(precision, "gains_by_bfloat16", lambda device: True)
    training.run(recipe, tmp_path / "run")
    assert toys.entries(tmp_path / "run")["run"]["precision"] == "bf16"
    longer = toys.recipe(*tasks(faces, "a", "b"), precision="auto")
    monkeypatch.setattr(precision, "gains_by_bfloat16", lambda device: False)
    heard = toys.Heard()
    path = training.run(longer, tmp_path / "run", reporter=heard)
    assert any("bfloat16 is emulated here" in line for line in heard.lines)
    explicit = toys.recipe(*tasks(faces, "a", "b"), precision="bf16")
    assert toys.fingerprints(path) == toys.fingerprints(training.run(explicit, tmp_path / "bf16"))


# ---------------------------------------------------------------- bad data


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """The pictures once more, to be broken."""
    (tmp_path / "loose").mkdir()
    return toys.table(tmp_path / "loose")


def spoil(table: Path, count: int) -> list[str]:
    """Breaks some training pictures; returns their paths."""
    paths = [row["path"] for row in toys.read_csv(table) if row["split"] == "train"][:count]
    for path in paths:
        (table.parent / path).write_bytes(b"\x89PNG no more")
    return paths


def test_a_broken_picture_is_counted_named_and_left_out(loose: Path, tmp_path: Path) -> None:
    (path,) = spoil(loose, 1)
    recipe = toys.recipe(*tasks(loose, "a"), input={"size": toys.SIZE, "max_broken": 0.05})
    training.run(recipe, tmp_path / "run")
    learnt = toys.entries(tmp_path / "run")["a/learnt"]
    assert learnt["examples"]["train"] == 8 * toys.PICTURES - 1
    assert [named for named, _ in learnt["broken"]["train"]] == [path]


def test_too_many_broken_pictures_stop_the_run(loose: Path, tmp_path: Path) -> None:
    spoil(loose, 2)
    with pytest.raises(DataError, match=r"at least 1 of 48 images are broken.*max_broken = 0.01"):
        training.run(toys.recipe(*tasks(loose, "a")), tmp_path / "run")


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"settings": {"classes": ["dark", "grey"], "label": "shade"}}, "'light'"),
        ({"settings": {"classes": ["dark", "light"], "label": "shades"}}, "'shades'"),
        ({"data": {"table": "/nowhere/faces.csv"}}, "/nowhere/faces.csv: No such file"),
    ],
)
def test_a_plan_is_held_to_its_data_before_anything_is_trained(
    keys: dict[str, Any], reason: str, faces: Path, tmp_path: Path
) -> None:
    recipe = toys.recipe(*tasks(faces, "a"), toys.task("b", faces, **keys))
    with pytest.raises((DataError, RecipeError), match=f"task 'b'.*{reason}|{reason}"):
        training.run(recipe, tmp_path)
    assert "a/train" not in toys.entries(tmp_path)


def test_two_runs_in_one_directory_are_refused(faces: Path, tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(RunError, match=f"{tmp_path}: another run is at work here"),
    ):
        training.run(toys.recipe(*tasks(faces, "a")), tmp_path)


def test_no_other_command_changes_a_pack_while_a_run_learns_into_it(
    faces: Path, tmp_path: Path
) -> None:
    recipe = toys.recipe(*tasks(faces, "a", "b"))
    busy = pytest.raises(RunError, match="another command is changing it")

    class Meddling(Silent):
        tried = 0

        def begin(self, *arguments: Any) -> None:
            if (tmp_path / "pack.pae").exists():
                self.tried += 1
                with busy:
                    training.remove(tmp_path / "pack.pae", "a", backbone=toys.BACKBONE)

    reporter = Meddling()
    pack = training.run(recipe, tmp_path, reporter=reporter)
    assert reporter.tried > 0
    with changing(pack), busy:
        training.run(recipe, tmp_path)


def test_a_pack_that_is_not_the_runs_is_refused(faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(*tasks(faces, "a"))
    path = training.run(recipe, tmp_path / "run")
    other = training.run(toys.recipe(*tasks(faces, "a"), seed=1), tmp_path / "other")
    path.write_bytes(other.read_bytes())
    with pytest.raises(RunError, match=r"does not hold task 'a' as .*record.jsonl has it"):
        training.run(recipe, tmp_path / "run")


def test_a_change_of_an_older_task_would_be_told(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = addition.learn

    def corrupt(session: Any, pack: Any, *arguments: Any) -> Any:
        if "a" in pack.tasks:
            next(iter(pack.layers.values())).theta[:] = 1.0
            pack.tasks["a"].fingerprint = None  # or writing would refuse it
        return learn(session, pack, *arguments)

    monkeypatch.setattr(addition, "learn", corrupt)
    with pytest.raises(RunError, match="task 'a' changed while 'b' was learnt; this is a defect"):
        training.run(toys.recipe(*tasks(faces, "a", "b")), tmp_path)


def test_a_task_that_a_kill_left_in_the_file_goes_on_record_under_its_own_plan_alone(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.write

    def killed(self: Journal, key: str, **fields: Any) -> dict[str, Any]:
        if key == "a/learnt":
            raise KeyboardInterrupt
        return write(self, key, **fields)

    monkeypatch.setattr(Journal, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        training.run(toys.recipe(toys.task("a", faces)), tmp_path)
    monkeypatch.setattr(Journal, "write", write)
    other = toys.task("a", faces, budget={"epochs": 2, "batch": 16, "rate": 0.01})
    with pytest.raises(RunError, match=r"has task 'a' as another plan made it.*pae remove"):
        training.run(toys.recipe(other), tmp_path)
    path = training.run(toys.recipe(toys.task("a", faces)), tmp_path)
    assert (
        toys.entries(tmp_path)["a/learnt"]["tasks"]["a"]["fingerprint"]
        == (toys.fingerprints(path)["a"])
    )


def test_what_a_published_data_set_leaves_out_is_on_record(tmp_path: Path) -> None:
    root = tmp_path / "fairface"
    for part, count in (("train", 60), ("val", 12)):
        put_images(root, [f"{part}/{n}.jpg" for n in range(count)])
        rows = [f"{part}/{n}.jpg,20-29,{('Male', 'Female')[n % 2]},White" for n in range(count)]
        odd = f"{part}/x.jpg,20-29,Male,White"
        put_lines(root / f"fairface_label_{part}.csv", "file,age,gender,race", *rows, odd)
    data = {"dataset": "fairface", "root": str(root), "needs": ["gender"]}
    settings = {"classes": ["female", "male"], "label": "gender"}
    path = training.run(
        toys.recipe(toys.task("a", root, data=data, settings=settings)), tmp_path / "run"
    )
    learnt = toys.entries(tmp_path / "run")["a/learnt"]
    assert learnt["examples"]["test"] == 12
    assert learnt["skipped"] == {
        "rows": 2,
        "summary": "2 rows are left out: 2 × no such image "
        "(first: fairface_label_train.csv line 62)",
        "reasons": [
            {
                "reason": "no such image",
                "rows": 2,
                "first": ["fairface_label_train.csv line 62", "fairface_label_val.csv line 14"],
            }
        ],
    }
    notes = packfile.read(path, backbone=toys.tiny).pack.tasks["a"].notes
    assert notes["data"]["sources"] == ["fairface"]
    assert notes["data"]["skipped"] == 2
