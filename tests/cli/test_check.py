"""A pack is held to every law, and a script learns from the exit code how that went."""

from pathlib import Path
from typing import Any

from paenet.packfile import checking
from tests.cli.answers import OWN, document, flip, parsed, refusal
from tests.cli.conftest import Pae
from tests.packfile.files import changed


def another_fingerprint(document: dict[str, Any], tensors: dict[str, Any]) -> None:
    document["tasks"][0]["fingerprint"] = "0" * 64


def test_a_sound_pack_keeps_every_law_and_ends_with_0(pack: Path, pae: Pae) -> None:
    done = pae("check", pack, *OWN)
    assert done.code == 0
    assert done.err == ""
    assert done.out == "".join(f"holds    {law}\n" for law in checking.LAWS) + f"{pack}: sound\n"


def test_what_was_not_looked_at_is_counted(pack: Path, pae: Pae) -> None:
    *laws, verdict = pae("check", pack).out.splitlines()
    skipped = sum(line.startswith("skipped ") for line in laws)
    assert skipped > 0
    assert verdict == f"{pack}: sound as far as it was checked; {skipped} laws were not"


def test_json_tells_what_was_looked_at(pack: Path, pae: Pae) -> None:
    found = document(pae("check", pack, *OWN, "--json"))
    assert found == {
        "path": str(pack),
        "ok": True,
        "verified": list(checking.LAWS),
        "findings": [],
        "skipped": [],
        "tasks": ["base"],
    }


def test_a_broken_law_is_named_and_ends_with_1(pack: Path, pae: Pae) -> None:
    changed(pack, another_fingerprint)
    done = pae("check", pack, *OWN)
    assert done.code == 1
    assert done.err == ""
    broken, *held, verdict = done.out.splitlines()
    assert len(held) == len(checking.LAWS) - 1
    assert all(line.startswith("holds ") for line in held)
    assert broken.startswith(f"BROKEN   {checking.FINGERPRINT_LAW}: task 'base': ")
    assert verdict == f"{pack}: not sound"


def test_json_tells_a_broken_law_and_ends_with_1(pack: Path, pae: Pae) -> None:
    changed(pack, another_fingerprint)
    done = pae("check", pack, *OWN, "--json")
    assert done.code == 1
    found = parsed(done.out)
    assert found["ok"] is False
    assert [finding["law"] for finding in found["findings"]] == [checking.FINGERPRINT_LAW]
    assert "'base'" in found["findings"][0]["message"]
    assert found["tasks"] == []


def test_a_file_that_cannot_be_read_breaks_the_first_law(pack: Path, pae: Pae) -> None:
    before = flip(pack).read_bytes()
    done = pae("check", pack, *OWN)
    assert done.code == 1
    (line,) = done.out.splitlines()
    assert line.startswith(f"{pack}: not sound: is damaged: stream ")
    assert pack.read_bytes() == before


def test_a_file_that_is_no_pack_is_a_finding_whoever_builds_its_network(
    pack: Path, pae: Pae
) -> None:
    pack.write_bytes(pack.read_bytes()[:100])
    for own in ((), OWN):
        done = pae("check", pack, *own, "--json")
        assert done.code == 1
        assert parsed(done.out)["ok"] is False


def test_without_the_users_own_code_its_laws_are_skipped_and_said_to_be(
    pack: Path, pae: Pae
) -> None:
    changed(pack, another_fingerprint)  # which only the network could tell
    done = pae("check", pack)
    assert done.code == 0
    assert f"skipped  {checking.FINGERPRINT_LAW}: its backbone is " in done.out
    assert "--backbone" in done.out
    assert checking.FINGERPRINT_LAW in [
        skipped["law"] for skipped in document(pae("check", pack, "--json"))["skipped"]
    ]


def test_a_file_that_is_not_there_is_an_error_and_no_finding(pae: Pae, tmp_path: Path) -> None:
    for options in ([], ["--json"], OWN):
        done = pae("check", tmp_path / "absent.pae", *options)
        refusal(done, f"{tmp_path}/absent.pae: does not exist; check the path")
