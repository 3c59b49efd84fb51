"""The whole story, on few drawn faces: it takes seconds and shows what it would show in full."""

from pathlib import Path

import pytest

from paenet import packfile
from tests.cli.answers import contents, document, refusal
from tests.cli.conftest import Pae
from tests.training import toys

NAMES = ["identity", "gender", "age", "expression"]


@pytest.mark.slow
def test_four_tasks_are_learnt_shown_and_the_same_command_shows_them_again(
    pae: Pae, tmp_path: Path
) -> None:
    folder = tmp_path / "quick"
    done = pae("quickstart", folder, "--limit", "32")
    assert done.code == 0, done.err
    path = folder / "pack.pae"
    assert packfile.check(path).ok  # a pack of paenet's own network needs no one's code
    assert f"Try: pae check {path}\n" in done.out
    for name in NAMES:
        assert f"{name}: keeps " in done.err
        *_, same = next(
            line.split() for line in reversed(done.out.splitlines()) if line.startswith(f" {name} ")
        )
        assert same == "identical"

    before = contents(folder)
    again = pae("quickstart", folder, "--limit", "32", "--json")
    found = document(again)
    assert again.err == ""  # nothing was learnt anew
    assert contents(folder) == before
    assert list(found["tasks"]) == NAMES
    assert [step["key"] for step in found["steps"]] == [f"{name}/learnt" for name in NAMES]
    for step in found["steps"]:
        assert step["examples"] == {"train": 32, "val": 32, "test": 32}
        for name, state in step["tasks"].items():
            assert state["fingerprint"] == found["tasks"][name]["fingerprint"]
    entries = toys.entries(folder)
    assert entries["expression/learnt"]["tasks"].keys() == set(NAMES)


def test_a_folder_that_cannot_be_made_is_named(pae: Pae, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refusal(pae("quickstart", tmp_path / "file" / "quick"), tmp_path / "file", "a file in its way")


def test_a_folder_with_another_run_is_named_and_kept(pae: Pae, tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text("backbone: {name: vgg16-bn}\ntasks: []\n")
    refusal(
        pae("quickstart", tmp_path), tmp_path, "another recipe (backbone.name: 'vgg16-bn' there"
    )
    assert (tmp_path / "recipe.yaml").read_text().startswith("backbone: {name: vgg16-bn}")
