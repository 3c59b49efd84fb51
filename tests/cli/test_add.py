"""One task more, and the others stay what they were."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import save_file

from paenet.training.algorithm import stages
from tests.cli.answers import OWN, contents, document, refusal, small, sound
from tests.cli.conftest import Pae
from tests.training import toys


@pytest.fixture
def pack(pack: Path) -> Path:
    """A pack that learns quickly."""
    return small(pack)


@pytest.fixture
def mood(faces: Path, tmp_path: Path) -> Path:
    """The file of a task."""
    return written(tmp_path / "mood.yaml", faces)


def written(path: Path, faces: Path, **keys: Any) -> Path:
    path.write_text(yaml.safe_dump(toys.task("mood", faces, **keys)))
    return path


def test_a_task_is_added_and_the_base_stays_what_it_was(pack: Path, mood: Path, pae: Pae) -> None:
    before = toys.fingerprints(pack)
    done = pae("add", pack, "--task", mood, *OWN)
    assert done.code == 0
    now = toys.fingerprints(pack)
    assert list(now) == ["base", "mood"]
    assert now["base"] == before["base"]
    assert sound(pack)
    assert "493 of 658 weights are owned, 165 are free" in done.out
    assert "mood: trained: accuracy " in done.err


def test_json_says_what_info_says_and_progress_stays_on_stderr(
    pack: Path, mood: Path, pae: Pae
) -> None:
    added = document(pae("add", pack, "--task", mood, *OWN, "--json"))
    assert added == document(pae("info", pack, *OWN, "--json"))
    assert added["tasks"]["mood"]["goal"]["met"] is True
    assert added["tasks"]["mood"]["sees"] == ["base"]


def test_the_record_is_kept_beside_the_pack(pack: Path, mood: Path, pae: Pae) -> None:
    document(pae("add", pack, "--task", mood, *OWN, "--json", "--limit", "20"))
    entry = toys.entries(pack.with_name("pack.mood.run"))["mood/learnt"]
    assert entry["examples"] == {"train": 20, "val": 20, "test": 20}
    assert list(entry["tasks"]) == ["base", "mood"]


def test_the_same_command_again_changes_nothing(
    pack: Path, mood: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("add", pack, "--task", mood, *OWN, "--json")
    first = document(pae(*arguments))
    before = contents(pack.parent)
    monkeypatch.setattr(stages, "fit", None)  # to be called by no one
    assert document(pae(*arguments)) == first
    assert contents(pack.parent) == before


def test_after_ctrl_c_the_same_command_goes_on(
    pack: Path, mood: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    def freeze(self: Any) -> None:
        raise KeyboardInterrupt

    arguments, before = ("add", pack, "--task", mood, *OWN), pack.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(stages.Learner, "freeze", freeze)
        assert pae(*arguments).code == 130
    assert pack.read_bytes() == before
    monkeypatch.setattr(stages, "fit", None)  # all training is on record
    assert pae(*arguments).code == 0
    assert sound(pack)


def test_a_name_that_the_pack_has_is_refused(pack: Path, faces: Path, pae: Pae) -> None:
    path, before = pack.with_name("base.yaml"), pack.read_bytes()
    path.write_text(yaml.safe_dump(toys.task("base", faces)))
    message = f"{pack}: has a task 'base' already; remove it, or choose another name"
    refusal(pae("add", pack, "--task", path, *OWN), message)
    assert pack.read_bytes() == before


def test_a_task_may_say_how_it_is_learnt(pack: Path, faces: Path, pae: Pae) -> None:
    path = written(pack.with_name("mood.yaml"), faces, method="features", norms="base")
    added = document(pae("add", pack, "--task", path, *OWN, "--json"))
    assert added["tasks"]["mood"]["owned"] == 0


def test_a_network_of_the_users_own_is_asked_for(pack: Path, mood: Path, pae: Pae) -> None:
    before = contents(pack.parent)
    refusal(pae("add", pack, "--task", mood), pack, f"{toys.BACKBONE!r}, code that", "--backbone")
    assert contents(pack.parent) == before


def test_weights_that_a_goal_needs_are_asked_for(
    faces: Path, mood: Path, pae: Pae, tmp_path: Path
) -> None:
    given, pack = tmp_path / "given.safetensors", tmp_path / "trained.pae"
    save_file(toys.tiny().state_dict(), given)
    document(pae("init", pack, *OWN, "--weights", given, "--release", "0.5", "--json"))
    plan = written(mood, faces, goal={"within": 0.9})
    arguments = ("add", small(pack), "--task", plan, *OWN, "--json")
    refusal(pae(*arguments), "the dense network of 'given.safetensors' is needed", "--weights")
    added = document(pae(*arguments, "--weights", given))
    assert added["tasks"]["mood"]["goal"]["within"] == 0.9
