"""One task less: its weights are free, and the others stay what they were."""

from pathlib import Path

import pytest
import yaml

from paenet import packfile
from tests.cli.answers import OWN, document, refusal, small, sound
from tests.cli.conftest import Pae
from tests.training import toys


@pytest.fixture
def pack(pack: Path) -> Path:
    """A pack that learns quickly."""
    return small(pack)


@pytest.fixture
def full(pack: Path, faces: Path, pae: Pae) -> Path:
    """A pack with a task beside its base."""
    add(pack, faces, pae)
    return pack


def add(pack: Path, faces: Path, pae: Pae) -> None:
    plan = pack.with_name("mood.yaml")
    plan.write_text(yaml.safe_dump(toys.task("mood", faces)))
    assert pae("add", pack, "--task", plan, *OWN).code == 0


def test_removing_a_task_leaves_the_others_what_they_were(full: Path, pae: Pae) -> None:
    before = toys.fingerprints(full)
    done = pae("remove", full, "mood", *OWN)
    assert done.code == 0
    assert done.err == ""
    assert toys.fingerprints(full) == {"base": before["base"]}
    assert "329 of 658 weights are owned, 329 are free" in done.out
    assert sound(full)


def test_json_says_what_info_says(full: Path, pae: Pae) -> None:
    removed = document(pae("remove", full, "mood", *OWN, "--json"))
    assert removed == document(pae("info", full, *OWN, "--json"))
    assert list(removed["tasks"]) == ["base"]


def test_the_record_of_its_learning_is_kept_under_another_name(
    full: Path, faces: Path, pae: Pae
) -> None:
    record = (full.parent / "pack.mood.run" / "record.jsonl").read_bytes()
    assert pae("remove", full, "mood", *OWN).code == 0
    assert not (full.parent / "pack.mood.run").exists()
    assert (full.parent / "pack.mood.removed-1" / "record.jsonl").read_bytes() == record
    add(full, faces, pae)
    assert pae("remove", full, "mood", *OWN).code == 0
    assert (full.parent / "pack.mood.removed-1" / "record.jsonl").read_bytes() == record
    assert (full.parent / "pack.mood.removed-2").is_dir()


def test_a_task_that_is_learnt_again_after_its_removal_is_the_same(
    full: Path, faces: Path, pae: Pae
) -> None:
    before = toys.fingerprints(full)
    assert pae("remove", full, "mood", *OWN).code == 0
    add(full, faces, pae)
    assert toys.fingerprints(full) == before


def test_an_unknown_task_is_named_and_the_nearest_one_offered(full: Path, pae: Pae) -> None:
    before = full.read_bytes()
    refusal(pae("remove", full, "moood", *OWN), "no task 'moood'", "did you mean 'mood'?")
    assert full.read_bytes() == before


def test_a_task_that_others_use_is_kept_and_they_are_named(full: Path, pae: Pae) -> None:
    before = full.read_bytes()
    done = pae("remove", full, "base", *OWN)
    refusal(done, "task 'base' is in use by mood; remove these first")
    assert full.read_bytes() == before


def test_a_pack_may_become_empty_and_is_still_a_pack(pack: Path, pae: Pae) -> None:
    found = document(pae("remove", pack, "base", *OWN, "--json"))
    assert (found["tasks"], found["owned"], found["free"]) == ({}, 0, 658)
    assert packfile.check(pack, backbone=toys.tiny).ok
    assert pae("info", pack, *OWN).code == 0
