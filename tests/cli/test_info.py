"""What a pack holds, for a person in 80 columns and for a script in one document."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import yaml

from paenet import packfile
from paenet.cli.info import show
from tests.cli.answers import OWN, document, refusal
from tests.cli.conftest import Pae
from tests.training import toys


@pytest.fixture
def learnt(faces: Path, pae: Pae, tmp_path: Path) -> Path:
    """A pack of two tasks, of which the second missed its goal."""
    goals = ({"at_least": 0.0}, {"at_least": 1.5, "missed": "keep"})
    tasks = [
        toys.task(name, faces, goal=goal, widen={"times": 0}, terms="drawn, free to use")
        for name, goal in zip(("shade", "again"), goals, strict=True)
    ]
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(yaml.safe_dump(toys.document(*tasks)))
    assert pae("run", recipe, "--out", tmp_path / "run").code == 0
    return tmp_path / "run" / "pack.pae"


def test_json_tells_everything_that_is_known_of_a_task(learnt: Path, pae: Pae) -> None:
    found = document(pae("info", learnt, *OWN, "--json"))
    entry = toys.entries(learnt.parent)["again/learnt"]
    task = found["tasks"]["again"]
    assert task["fingerprint"] == toys.fingerprints(learnt)["again"]
    assert (task["kind"], task["sees"], task["width"]) == ("classification", ["shade"], 1.0)
    assert (task["validation"], task["test"]) == (entry["val"], entry["test"])
    assert task["goal"] == entry["goal"]
    assert task["terms"] == "drawn, free to use"
    assert task["data"]["sources"][0].endswith("/faces.csv")
    assert task["data"]["examples"] == entry["examples"]
    weights = {key: task[key] for key in ("owned", "seen", "total")}
    assert weights == entry["weights"]
    assert found["file_bytes"] == learnt.stat().st_size
    assert found["input"]["size"] == toys.SIZE
    assert found["free"] == found["total"] - sum(t["owned"] for t in found["tasks"].values())


def test_a_person_reads_metric_goal_figures_and_weights(learnt: Path, pae: Pae) -> None:
    done = pae("info", learnt, *OWN)
    assert done.code == 0
    assert done.err == ""
    task = document(pae("info", learnt, *OWN, "--json"))["tasks"]["shade"]
    shares = [f"{task[split]['accuracy']['value']:.1%}"[:-1] for split in ("validation", "test")]
    lines = [line.split() for line in done.out.splitlines() if line.startswith(" shade ")]
    figures, weights, sizes = lines
    assert figures[1:4] == ["accuracy", "≥", "0.000"]
    assert [figures[4], figures[7]] == shares
    assert weights[1:5] == ["–", "1", "329", "50.0%"]
    assert sizes[1] == task["file"]["coding"]
    assert sizes[2] == f"{task['file']['values'] / 2**10:.1f}"


def test_a_pack_that_is_replaced_meanwhile_is_told_of_as_it_is_now(
    learnt: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = packfile.ledger

    def replaced(path: Path) -> packfile.Ledger:
        held = packfile.read(path, backbone=toys.tiny)
        if "again" in held.pack.tasks:
            held.pack.remove("again")
            packfile.write(held.pack, path, backbone=held.spec, about=held.about)
        return ledger(path)

    monkeypatch.setattr(packfile, "ledger", replaced)
    found = document(pae("info", learnt, *OWN, "--json"))
    assert set(found["tasks"]) == {"shade"}
    assert found["file_bytes"] == learnt.stat().st_size


@pytest.mark.parametrize(
    "notes",
    [
        {"task": "gender"},
        {"goal": "high", "validation": {"accuracy": 0.93}, "test": [1]},
        {"goal": {"metric": 3, "threshold": "much"}, "validation": {"a": {"unit": "share"}}},
    ],
)
def test_notes_and_what_a_file_is_about_may_say_anything(
    notes: dict[str, Any], learnt: Path, pae: Pae
) -> None:
    held = packfile.read(learnt, backbone=toys.tiny)
    held.pack.tasks["shade"].notes = notes
    about = {"backbone": "another", "file_bytes": "many", **held.about}
    packfile.write(held.pack, learnt, backbone=held.spec, about=about)
    done = pae("info", learnt, *OWN)
    assert done.code == 0, done.err
    (line, *_) = (line.split() for line in done.out.splitlines() if line.startswith(" shade "))
    assert line[1:] == ["–"] * 4
    assert document(pae("info", learnt, *OWN, "--json"))["backbone"]["name"] == toys.BACKBONE


def test_a_network_that_cannot_be_traced_is_described_without_stems(
    tmp_path: Path, pae: Pae
) -> None:
    path = tmp_path / "pack.pae"
    branching = ("--backbone", "tests.training.toys:branching")
    assert pae("init", path, *branching).code == 0
    told = document(pae("info", path, *branching, "--json"))
    assert told["splits"] == {}
    assert told["tasks"]["base"]["own_work"] == 1


def test_a_goal_that_was_missed_is_said_to_be(learnt: Path, pae: Pae) -> None:
    lines = pae("info", learnt, *OWN).out.splitlines()
    missed = [line.split() for line in lines if " missed " in line]
    assert [line[:5] for line in missed] == [["again", "accuracy", "≥", "1.500", "missed"]]


def test_the_path_stays_in_one_piece_whatever_it_is_called(pae: Pae, tmp_path: Path) -> None:
    folder = tmp_path / "[bold]a folder" / ("x" * 100)
    folder.mkdir(parents=True)
    path = folder / "pack.pae"
    assert pae("init", path, *OWN).code == 0
    assert pae("info", path, *OWN).out.startswith(f"{path} (")


def test_a_network_of_the_users_own_is_asked_for(pack: Path, pae: Pae) -> None:
    refusal(
        pae("info", pack), pack, f"{toys.BACKBONE!r}, code that a file may not run", "--backbone"
    )
    done = pae("info", pack, "--backbone", "tests.training.toys:tinny")
    refusal(done, "'tinny' is missing; did you mean 'tiny'?")


def test_another_network_than_the_packs_is_refused(pack: Path, pae: Pae) -> None:
    refusal(pae("info", pack, "--backbone", "torch.nn:Identity"), pack)


def test_the_tables_of_a_real_pack_fit_into_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with redirect_stdout(io.StringIO()) as out:
        show(described("identity", "gender", "age", "expression"))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    for name in ("identity", "gender", "age", "expression"):
        figures, weights, *_ = (line for line in text.splitlines() if line.startswith(f" {name} "))
        assert "verification  ≥ 0.850 missed" in figures
        assert "23,000,000" in weights
    assert text.count("(100.0–100.0)") == 8


def described(*names: str) -> dict[str, Any]:
    """What is told of a large pack, every figure as wide as it gets."""
    figure = {"value": 1.0, "low": 1.0, "high": 1.0, "count": 1866, "unit": "share"}
    task = {
        "goal": {"metric": "verification", "threshold": 0.85, "met": False},
        "validation": {"verification": figure},
        "test": {"verification": figure},
        "sees": ["identity"],
        "stem": "repeat_3",
        "own_work": 1.0,
        "width": 1.22474,
        "owned": 23_000_000,
        "seen": 23_000_000,
        "total": 46_000_000,
        "paper_mib": 109.77,
        "separate_mib": 179.62,
        "file": {
            "coding": "codebook4",
            "values": 92_000_000,
            "owners": 2_900_000,
            "picks": 2_900_000,
            "norms": 240_000,
            "head": 92_000,
            "owners_entropy": 2_900_000.0,
            "picks_entropy": 2_900_000.0,
            "values_entropy": 92_000_000.0,
        },
    }
    return {
        "file": "runs/faces/pack.pae",
        "backbone": {"name": "inception-resnet-v1"},
        "splits": {f"mixed_{i}a": i / 30 for i in range(30)},
        "tasks": dict.fromkeys(names, task),
        "owned": 46_000_000,
        "free": 0,
        "total": 46_000_000,
        "paper_mib": 219.34,
        "separate_mib": 718.48,
        "of_separate": 0.305,
        "file_bytes": 230_000_000,
        "file_of_separate": 0.305,
    }


def test_stems_are_listed_with_what_each_task_computes_of_its_own(
    faces: Path, pae: Pae, tmp_path: Path
) -> None:
    tasks = [toys.task("shade", faces), toys.task("again", faces, stem="0")]
    recipe = tmp_path / "toy.yaml"
    recipe.write_text(yaml.safe_dump(toys.document(*tasks)))
    assert pae("run", recipe, "--out", tmp_path / "run").code == 0
    done = pae("info", tmp_path / "run" / "pack.pae", *OWN)
    found = document(pae("info", tmp_path / "run" / "pack.pae", *OWN, "--json"))
    assert list(found["splits"]) == ["0", "3", "7"]
    assert [task["stem"] for task in found["tasks"].values()] == [None, "0"]
    own = found["tasks"]["again"]["own_work"]
    assert own == pytest.approx(1 - found["splits"]["0"])
    assert f"{own:.1%}" in done.out
    assert "A stem may end after: 0, 3, 7." in done.out
