"""Bad input ends in one line that names it and the mend, with exit code 2, and nothing is lost."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from paenet import training
from tests.cli.answers import OWN, contents, flip, refusal, small, sound
from tests.cli.conftest import Done, Pae
from tests.training import toys


class Run:
    """A run that has learnt a task, and is asked for another one."""

    def __init__(self, pae: Pae, faces: Path, folder: Path) -> None:
        self.folder, self.pack, self.recipe = folder, folder / "pack.pae", folder / "toy.yaml"
        self._pae, self._faces = pae, faces

    def ask(self, data: Path | None = None, **keys: Any) -> Done:
        tasks = [toys.task("a", self._faces), toys.task("b", data or self._faces, **keys)]
        self.recipe.write_text(yaml.safe_dump(toys.document(*tasks)))
        return self._pae("run", self.recipe, "--out", self.folder)

    def refuses(self, *parts: str | Path, data: Path | None = None, **keys: Any) -> None:
        before = self.pack.read_bytes()
        refusal(self.ask(data, **keys), *parts)
        assert self.pack.read_bytes() == before
        assert "b/learnt" not in toys.entries(self.folder)


@pytest.fixture(scope="module")
def learnt(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run that has learnt one task; to be copied."""
    folder = tmp_path_factory.mktemp("learnt")
    training.run(toys.recipe(toys.task("a", faces)), folder / "run", cache=folder / "cache")
    return folder / "run"


@pytest.fixture
def run(learnt: Path, faces: Path, pae: Pae, tmp_path: Path) -> Run:
    return Run(pae, faces, shutil.copytree(learnt, tmp_path / "run"))


@pytest.fixture
def pack(pack: Path) -> Path:
    """A pack that learns quickly."""
    return small(pack)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A table of its own, to be spoilt."""
    (tmp_path / "own").mkdir()
    return toys.table(tmp_path / "own")


@pytest.fixture
def mood(faces: Path, tmp_path: Path) -> Path:
    """The file of a task to be added."""
    path = tmp_path / "mood.yaml"
    path.write_text(yaml.safe_dump(toys.task("mood", faces)))
    return path


def rewrite(table: Path, count: int = 1, **cells: str) -> None:
    """Other cells in the first rows of a table."""
    rows = toys.read_csv(table)
    toys.write_csv(table, [row | cells if i < count else row for i, row in enumerate(rows)])


# ---------------------------------------------------------------- images, labels, splits


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "broken image: "),
        (lambda path: path.write_bytes(b"a letter"), "not an image (8 bytes); it can be JPEG, PNG"),
        (lambda path: path.write_bytes(b""), "not an image (0 bytes)"),
    ],
    ids=["missing", "truncated", "no-image", "empty"],
)
def test_a_broken_image_is_named_and_once_mended_the_same_command_goes_on(
    spoil: Callable[[Path], None], reason: str, run: Run, own: Path
) -> None:
    image = own.parent / "train" / "3-2.png"
    whole = image.read_bytes()
    spoil(image)
    run.refuses(
        own, "1 of 48 images", f"{image}: {reason}", "; mend them or raise input.max_b", data=own
    )
    image.write_bytes(whole)
    assert run.ask(own).code == 0
    assert list(toys.fingerprints(run.pack)) == ["a", "b"]


def test_an_unknown_label_is_named_with_its_image_and_the_nearest_one(run: Run, own: Path) -> None:
    rewrite(own, shade="drak")
    message = "train/0-0.png: task 'b': row 1: 'drak' is not a class; did you mean 'dark'?"
    run.refuses(f"{own}: {message}", data=own)


def test_an_empty_split_is_named_with_those_there_are(run: Run, own: Path) -> None:
    toys.write_csv(own, [row for row in toys.read_csv(own) if row["split"] != "val"])
    run.refuses("task 'b'", own, "no examples in split 'val'; known: test, train", data=own)


@pytest.mark.parametrize("cells", [{"shade": "drak"}, {"split": "vla"}], ids=["label", "split"])
def test_labels_and_splits_of_the_last_task_are_looked_at_before_the_first_is_learnt(
    cells: dict[str, str], faces: Path, own: Path, pae: Pae, tmp_path: Path
) -> None:
    rewrite(own, toys.PEOPLE["train"] * toys.PICTURES + toys.PEOPLE["val"] * toys.PICTURES, **cells)
    run = Run(pae, faces, tmp_path / "run")
    run.folder.mkdir()
    refusal(run.ask(own), own)
    assert list(toys.entries(run.folder)) == ["run"]


def thousands(own: Path, broken: int) -> None:
    """A training split of two thousand images, the first of them broken."""
    rows = toys.read_csv(own)
    train = [dict(row) for _ in range(42) for row in rows if row["split"] == "train"]
    toys.write_csv(own, train + [row for row in rows if row["split"] != "train"])
    (own.parent / "train" / "bad.png").write_bytes(b"\x89PNG, but no more")
    rewrite(own, broken, path="train/bad.png")


def test_a_corrupt_image_among_thousands_is_counted_named_in_the_record_and_left_out(
    run: Run, own: Path
) -> None:
    thousands(own, 1)
    budget = {"epochs": 1, "examples": 32, "batch": 16, "rate": 0.01}
    done = run.ask(own, budget=budget)
    assert done.code == 0
    assert "b: 1 broken images in train are left out, the first: train/bad.png: " in done.err
    entry = toys.entries(run.folder)["b/learnt"]
    assert entry["examples"]["train"] == 2015
    [(path, reason)] = entry["broken"]["train"]
    assert path == "train/bad.png"
    assert "not an image" in reason
    assert sound(run.pack)


def test_more_than_one_corrupt_image_in_a_hundred_stop_the_run(run: Run, own: Path) -> None:
    thousands(own, 21)
    bad = own.parent / "train" / "bad.png"
    run.refuses(
        f"{own}: at least 21 of 2016 images are broken", bad, "raise input.max_broken", data=own
    )


# ---------------------------------------------------------------- recipes and goals


def test_a_key_that_does_not_exist_is_named_and_the_nearest_one_offered(run: Run) -> None:
    keys = {"gaol": {"at_least": 0.5}}
    run.refuses(f"{run.recipe}: tasks[1].gaol: unknown key; did you mean 'goal'?", **keys)


def test_a_recipe_that_cannot_be_read_leaves_no_folder(pae: Pae, tmp_path: Path) -> None:
    for name, text, message in [
        ("absent.yaml", None, "no such recipe"),
        (".", None, "a folder; give a YAML recipe"),
        ("half.yaml", "tasks: [", "not YAML: "),
        ("list.yaml", "- a", "holds a list; a recipe is a mapping of keys"),
        ("empty.yaml", "", "holds nothing; a recipe is a mapping of keys"),
    ]:
        path = tmp_path / name
        if text is not None:
            path.write_text(text)
        refusal(pae("run", path, "--out", tmp_path / "run"), f"{path}: {message}")
    assert not (tmp_path / "run").exists()


def test_a_key_of_an_added_task_is_named_as_its_file_has_it(
    pack: Path, mood: Path, pae: Pae
) -> None:
    mood.write_text(mood.read_text().replace("budget", "budgte"))
    before = contents(pack.parent)
    message = f"{mood}: budgte: unknown key; did you mean 'budget'?"
    refusal(pae("add", pack, "--task", mood, *OWN), message)
    assert contents(pack.parent) == before


def test_a_goal_that_cannot_be_met_keeps_the_tasks_before_it(run: Run) -> None:
    hopeless = {"goal": {"at_least": 1.5}, "widen": {"times": 0}}
    mends = ("raise widen.times or budget.epochs, or ask for less", "goal.missed: keep")
    run.refuses("task 'b': reached accuracy ", " of the goal 1.5000", *mends, **hopeless)
    assert sound(run.pack)
    run.refuses("task 'b': reached accuracy ", **hopeless)  # and it is so the next time
    assert run.ask().code == 0  # who asks for less goes on


# ---------------------------------------------------------------- files that are no packs


COMMANDS = {
    "info": ("info", "PACK"),
    "eval": ("eval", "PACK", "--task", "base", "--data", "DATA"),
    "add": ("add", "PACK", "--task", "PLAN"),
    "remove": ("remove", "PACK", "base"),
}


def command(name: str, pack: Path, mood: Path, faces: Path) -> list[str | Path]:
    places = {"PACK": pack, "PLAN": mood, "DATA": faces}
    return [places.get(part, part) for part in COMMANDS[name]]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_file_that_is_no_pack_is_named_and_left_alone(
    name: str, mood: Path, faces: Path, pae: Pae, tmp_path: Path
) -> None:
    other = tmp_path / "letter.pae"
    other.write_text("Dear reader, this is not a pack.")
    before = contents(tmp_path)
    arguments = command(name, other, mood, faces)
    refusal(pae(*arguments), f"{other}: is not a .pae file; give one that paenet has written")
    refusal(pae(*command(name, tmp_path, mood, faces)), f"{tmp_path}: is not a file; give one")
    absent = command(name, tmp_path / "absent.pae", mood, faces)
    refusal(pae(*absent), "absent.pae: does not exist; check the path")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flipped_bit_is_found_by_every_command(
    name: str, pack: Path, mood: Path, faces: Path, pae: Pae
) -> None:
    flip(pack)
    before = contents(pack.parent)
    found = "is not as it was written (SHA-256); copy it again from where it came from"
    refusal(pae(*command(name, pack, mood, faces), *OWN), f"{pack}: is damaged: stream ", found)
    assert contents(pack.parent) == before


def test_a_flipped_bit_in_the_pack_of_a_run_stops_it(run: Run) -> None:
    flip(run.pack)
    run.refuses(f"{run.pack}: is damaged: ")
