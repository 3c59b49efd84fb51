"""The record of a run: what is on it counts, for the plan it was made for, and for one run."""

import errno
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from paenet.training import Recipe, RunError, parse_recipe, read_record
from paenet.training.records import journal as journals
from paenet.training.records.journal import Journal
from tests.training import toys

FACES = Path("/faces.csv")


def recipe(*names: str, **keys: Any) -> Recipe:
    return toys.recipe(*(toys.task(name, FACES) for name in names or ("a", "b")), **keys)


@contextmanager
def opened(folder: Path, plan: Recipe | None = None, **facts: Any) -> Iterator[Journal]:
    with Journal(folder, plan or recipe(), facts) as journal:
        yield journal


def written(folder: Path, *keys: str) -> None:
    with opened(folder) as journal:
        for key in keys:
            journal.write(key, value=key)


def test_what_is_on_record_is_there_for_the_next_process(tmp_path: Path) -> None:
    written(tmp_path, "a/train", "a/prune-1")
    with opened(tmp_path) as journal:
        found = journal.result("a/train")
        assert found is not None
        assert found["value"] == "a/train"
        assert journal.result("a/prune-2") is None
        assert journal.keys("a") == ["a/train", "a/prune-1"]
    assert [entry["key"] for entry in read_record(tmp_path)] == ["a/train", "a/prune-1"]


def test_a_line_that_a_kill_cut_off_is_dropped_and_the_others_stay(tmp_path: Path) -> None:
    written(tmp_path, "a/train", "a/prune-1")
    record = tmp_path / "record.jsonl"
    whole = record.read_bytes()
    first = whole.index(b"\n") + 1
    for cut in range(first, len(whole)):
        record.write_bytes(whole[:cut])
        assert [entry["key"] for entry in read_record(tmp_path)] == ["a/train"]
        with opened(tmp_path) as journal:
            assert journal.result("a/prune-1") is None
            journal.write("a/prune-1", value=2)
        assert [entry["key"] for entry in read_record(tmp_path)] == ["a/train", "a/prune-1"]


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"key": "a/train"}', "\ufffd"])
def test_a_damaged_line_is_named_and_not_passed_over(line: str, tmp_path: Path) -> None:
    written(tmp_path, "a/train")
    record = tmp_path / "record.jsonl"
    record.write_text(record.read_text() + line + "\n" + record.read_text())
    with (
        pytest.raises(RunError, match=rf"{record}: line 2 is damaged; remove it"),
        opened(tmp_path),
    ):
        pass
    with pytest.raises(RunError, match="line 2 is damaged"):
        read_record(tmp_path)


def test_results_count_for_the_plan_of_their_task_alone(tmp_path: Path) -> None:
    written(tmp_path, "a/train", "b/train")
    other = toys.recipe(
        toys.task("a", FACES), toys.task("b", FACES, budget={"epochs": 2, "batch": 16})
    )
    with opened(tmp_path, other) as journal:
        assert journal.result("a/train") is not None
        assert journal.result("b/train") is None
    with opened(tmp_path) as journal:  # the first plan again
        assert journal.result("b/train") is not None


def test_two_runs_in_one_directory_are_refused_and_the_second_may_come_later(
    tmp_path: Path,
) -> None:
    second = Journal(tmp_path, recipe(), {})
    busy = pytest.raises(RunError, match=f"{tmp_path}: another run is at work here; wait")
    with opened(tmp_path), busy:
        second.__enter__()
    with opened(tmp_path):
        pass


def test_a_run_that_could_not_start_lets_the_next_one_in(tmp_path: Path) -> None:
    written(tmp_path, "a/train")
    with pytest.raises(RunError, match="another recipe") as error, opened(tmp_path, recipe(seed=9)):
        pass
    with opened(tmp_path):  # while the error, and with it the journal, is still held
        assert error is not None


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"seed": 9}, "seed: 0 there, 9 here"),
        ({"method": "packnet"}, "method: 'pae' there, 'packnet' here"),
        ({"input": {"size": 32}}, "input.size: 16 there, 32 here"),
        ({"weights": "/w"}, "weights: nothing there, '/w' here"),
    ],
)
def test_another_recipes_directory_is_refused_with_the_key_that_differs(
    change: dict[str, Any], difference: str, tmp_path: Path
) -> None:
    written(tmp_path)
    with pytest.raises(RunError) as caught, opened(tmp_path, recipe(**change)):
        pass
    assert str(caught.value).startswith(f"{tmp_path}: holds a run of another recipe ({difference})")


def test_a_run_that_came_to_nothing_gives_way_to_another(tmp_path: Path) -> None:
    written(tmp_path, "run")
    checkpoint = tmp_path / journals.CHECKPOINT
    checkpoint.touch()
    with opened(tmp_path):
        assert checkpoint.exists()
    with opened(tmp_path, recipe(seed=9)) as journal:
        assert journal.result("run") is None
        assert not checkpoint.exists()
        journal.write("run", value=1)
        journal.write("a/train", value=1)
    with pytest.raises(RunError, match="seed: 9 there, 0 here"), opened(tmp_path):
        pass


def test_a_kill_while_a_run_gives_way_leaves_room_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "run")

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(journals, "replacing", killed)
        with pytest.raises(KeyboardInterrupt), opened(tmp_path, recipe(seed=9)):
            pass
    with opened(tmp_path, recipe(seed=9)) as journal:
        assert journal.result("run") is None


def test_what_else_a_run_depends_on_is_held_to_as_well(tmp_path: Path) -> None:
    with opened(tmp_path, limit=5):
        pass
    with pytest.raises(RunError, match=r"--limit: 5 there, nothing here"), opened(tmp_path):
        pass


def test_what_an_earlier_version_did_not_keep_is_taken_as_it_is_now(tmp_path: Path) -> None:
    with opened(tmp_path, limit=5):
        pass
    with opened(tmp_path, limit=5, weights="abc"):
        pass
    changed = r"the weights: 'abc' there, 'def' here"
    with pytest.raises(RunError, match=changed), opened(tmp_path, limit=5, weights="def"):
        pass


def test_the_order_of_keys_may_change(tmp_path: Path) -> None:
    written(tmp_path, "a/train", "b/train")
    document = toys.document(*(toys.task(name, FACES) for name in ("a", "b")))
    for task in document["tasks"]:
        task["settings"] = dict(reversed(task["settings"].items()))
    sorted_keys = parse_recipe(document, name="toys")
    assert sorted_keys.model_dump_json() != recipe().model_dump_json()
    for _ in range(2):
        with opened(tmp_path, sorted_keys) as journal:
            assert journal.result("a/train") is not None
            assert journal.result("b/train") is not None


def test_how_often_work_is_saved_may_change(tmp_path: Path) -> None:
    written(tmp_path, "a/learnt")
    with opened(tmp_path, recipe(checkpoint_seconds=7)) as journal:
        assert journal.result("a/learnt") is not None


def test_a_run_outlives_a_version_that_knows_more_keys(tmp_path: Path) -> None:
    written(tmp_path, "a/learnt")
    path = tmp_path / "recipe.yaml"
    document = yaml.safe_load(path.read_text())
    for task in document["tasks"]:  # as a version wrote it that did not know them
        del task["channels"]
    path.write_text(yaml.safe_dump(document))
    with opened(tmp_path, recipe()) as journal:
        assert journal.result("a/learnt") is not None


@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (("b",), "tasks[0]: 'a' there, nothing here"),
        (("b", "a"), "tasks[0].name: 'a' there, 'b' here"),
        (("c", "a", "b"), "tasks[0].name: 'a' there, 'c' here"),
    ],
)
def test_learnt_tasks_stay_the_first_ones(
    names: tuple[str, ...], difference: str, tmp_path: Path
) -> None:
    written(tmp_path, "a/learnt")
    with pytest.raises(RunError) as caught, opened(tmp_path, recipe(*names)):
        pass
    assert difference in str(caught.value)


def test_tasks_that_were_learnt_together_stay_as_well(tmp_path: Path) -> None:
    written(tmp_path, "a+b/learnt")
    refused = pytest.raises(RunError, match=r"tasks\[1\]: 'b' there, nothing here")
    with refused, opened(tmp_path, recipe("a", "c")):
        pass


def test_a_learnt_task_that_is_left_out_is_named(tmp_path: Path) -> None:
    written(tmp_path, "a/learnt", "b/learnt")
    refused = pytest.raises(RunError, match=r"tasks\[1\]: 'b' there, nothing here")
    with refused, opened(tmp_path, recipe("a")):
        pass


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a", "c", "b"), ("a",), ("a", "x")])
def test_tasks_that_are_not_learnt_may_come_go_and_change_places(
    names: tuple[str, ...], tmp_path: Path
) -> None:
    written(tmp_path, "a/learnt", "b/train")
    with opened(tmp_path, recipe(*names)) as journal:
        assert journal.result("a/learnt") is not None


@pytest.mark.parametrize("content", [b"", b"[]", b"tasks: [", b"tasks: [1]", b"\xff\xfe", b"x"])
def test_a_damaged_recipe_beside_the_record_is_named(content: bytes, tmp_path: Path) -> None:
    written(tmp_path, "a/learnt")
    path = tmp_path / "recipe.yaml"
    path.write_bytes(content)
    with pytest.raises(RunError, match=f"{path}: is damaged; remove it"), opened(tmp_path):
        pass
    path.unlink()
    with opened(tmp_path):
        assert path.exists()


def test_what_killed_writings_left_is_cleared_away(tmp_path: Path) -> None:
    written(tmp_path, "a/train")
    for name in (".pack.pae.123.tmp", ".pack.pae.123.0badcafe.tmp"):
        (tmp_path / name).write_bytes(b"half")
    with opened(tmp_path) as journal:
        assert journal.result("a/train") is not None
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != ".lock") == [
        "recipe.yaml",
        "record.jsonl",
    ]


def test_one_of_several_processes_keeps_the_record(tmp_path: Path) -> None:
    with opened(tmp_path) as keeper, Journal(tmp_path, recipe(), {}, writes=False) as other:
        for journal in (keeper, other):
            journal.write("a/train", value=1)
            assert journal.result("a/train") is not None
    assert len((tmp_path / "record.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("place", ["file", "file/run"])
def test_a_file_in_the_place_of_a_directory_is_told_as_one(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    folder = tmp_path / place
    with pytest.raises(RunError, match=f"{folder}: there is a file in its way"), opened(folder):
        pass


def test_a_directory_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(journals.Path, "mkdir", refuse)
    folder = tmp_path / "run"
    refused = pytest.raises(RunError, match=rf"{folder}: cannot be written \(Permission denied\)")
    with refused, opened(folder):
        pass


def test_a_full_disk_leaves_the_record_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "a/train")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with opened(tmp_path) as journal, monkeypatch.context() as patch:
        patch.setattr(journals.os, "fsync", full)
        with pytest.raises(RunError, match=r"record.jsonl: cannot be written \(No space left"):
            journal.write("a/prune-1", value=1)
        assert journal.result("a/prune-1") is None
    assert read_record(tmp_path)[0]["key"] == "a/train"


def test_entries_are_json_lines_with_key_plan_and_time(tmp_path: Path) -> None:
    written(tmp_path, "a/train")
    entry = json.loads((tmp_path / "record.jsonl").read_text())
    assert list(entry)[:3] == ["key", "plan", "time"]


def test_a_folder_without_a_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=rf"{tmp_path}/record.jsonl: no record of a run"):
        read_record(tmp_path)
