"""A learnt task on other data: what a file must say for it to be judged."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from paenet import packfile, training
from paenet.training import RunError
from tests.training import toys

Judge = Callable[..., dict[str, Any]]


class Wrapped(nn.Module):
    """A head of a kind that a file cannot describe."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features)


@pytest.fixture
def learnt(faces: Path, tmp_path: Path) -> Path:
    """A pack with one task, told in a few steps."""
    plan = toys.task("shade", faces, prune={"stages": 0})
    return training.run(toys.recipe(plan), tmp_path / "run")


@pytest.fixture
def judge(learnt: Path, faces: Path) -> Judge:
    """Judges that task on the faces."""

    def judge(**keys: Any) -> dict[str, Any]:
        return training.judge(learnt, "shade", faces, backbone=toys.tiny, **keys)

    return judge


def rewrite(path: Path, *, about: dict[str, Any] | None = None, notes: bool = True) -> None:
    """The same tasks in a file that says less."""
    held = packfile.read(path, backbone=toys.tiny)
    if not notes:
        held.pack.tasks["shade"].notes = {}
    packfile.write(
        held.pack, path, backbone=held.spec, about=held.about if about is None else about
    )


def test_a_task_is_judged_as_it_was_when_it_was_learnt(learnt: Path, judge: Judge) -> None:
    entry = toys.entries(learnt.parent)["shade/learnt"]
    for split in ("val", "test"):
        assert judge(split=split)["metrics"] == entry[split]


def test_a_head_that_the_file_cannot_describe_is_handed_over(learnt: Path, judge: Judge) -> None:
    before = judge()
    held = packfile.read(learnt, backbone=toys.tiny)
    task = held.pack.tasks["shade"]
    task.head = Wrapped(task.head)
    task.fingerprint = None  # its tensors have other names now
    packfile.write(held.pack, learnt, backbone=held.spec, about=held.about)
    with pytest.raises(packfile.CodeNeededError, match=r"heads={'shade'"):
        judge()
    assert judge(heads={"shade": task.head})["metrics"] == before["metrics"]


def test_a_limit_takes_examples_from_all_over(learnt: Path, faces: Path) -> None:
    rows = [row for row in toys.read_csv(faces) if row["split"] == "test"]
    table = toys.write_csv(faces.parent / "every-fourth.csv", rows[::5])
    part, few = (
        training.judge(learnt, "shade", data, backbone=toys.tiny, limit=8)
        for data in (faces, table)
    )
    assert part["count"] == few["count"] == len(rows[::5]) == 8
    assert part["metrics"] == few["metrics"]


def test_judging_changes_nothing_but_the_cache(learnt: Path, judge: Judge) -> None:
    before = {path.name: path.read_bytes() for path in learnt.parent.iterdir()}
    assert judge() == judge(batch=7)
    assert {path.name: path.read_bytes() for path in learnt.parent.iterdir()} == before


def test_a_file_that_does_not_say_what_a_task_is_about_is_named(learnt: Path, judge: Judge) -> None:
    rewrite(learnt, notes=False)
    with pytest.raises(RunError, match=f"{learnt}: does not say what kind of task 'shade' is"):
        judge()


def test_a_file_that_does_not_say_what_its_networks_see_is_named(
    learnt: Path, judge: Judge
) -> None:
    rewrite(learnt, about={})
    with pytest.raises(RunError, match=f"{learnt}: does not say what its networks see"):
        judge()
