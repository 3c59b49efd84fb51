"""`pae extract` and `pae merge`: files of some tasks, and of more."""

import json
from pathlib import Path

from paenet import packfile
from tests.cli.conftest import Pae
from tests.training import toys

OWN = ("--backbone", toys.BACKBONE)


def added(pae: Pae, pack: Path, faces: Path, name: str) -> None:
    """Learns one more task into a pack."""
    plan = pack.with_name(f"{name}.yaml")
    plan.write_text(json.dumps(toys.task(name, faces)))
    done = pae("add", pack, "--task", plan, *OWN)
    assert done.code == 0, done.err


def test_extracted_tasks_have_their_fingerprints(pae: Pae, pack: Path, faces: Path) -> None:
    added(pae, pack, faces, "shade")
    added(pae, pack, faces, "other")
    before, out = toys.fingerprints(pack), pack.with_name("small.pae")
    done = pae("extract", pack, "--tasks", "shade", "-o", out, "--json", *OWN)
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert list(document["tasks"]) == ["base", "shade"]
    assert document["file_bytes"] == out.stat().st_size < pack.stat().st_size
    assert toys.fingerprints(out) == {name: before[name] for name in ("base", "shade")}


def test_a_pack_and_what_grew_from_it_are_merged(pae: Pae, pack: Path, faces: Path) -> None:
    grown = pack.with_name("grown.pae")
    grown.write_bytes(pack.read_bytes())
    added(pae, grown, faces, "shade")
    out = pack.with_name("merged.pae")
    done = pae("merge", pack, grown, "--out", out, *OWN)
    assert done.code == 0, done.err
    assert "shade" in done.out
    assert toys.fingerprints(out) == toys.fingerprints(grown)
    assert packfile.check(out, backbone=toys.tiny).ok


def test_what_cannot_be_done_is_one_line_and_writes_nothing(pae: Pae, pack: Path) -> None:
    out = pack.with_name("new.pae")
    done = pae("extract", pack, "--tasks", "bse", "-o", out, *OWN)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"pae: {pack}: has no task 'bse'; did you mean 'base'?\n"
    other = pack.with_name("other.pae")
    assert pae("init", other, "--backbone", toys.BACKBONE, "--name", "root").code == 0
    done = pae("merge", pack, other, "-o", out, *OWN)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"pae: {pack} and {other} cannot be merged: ")
    assert not out.exists()
