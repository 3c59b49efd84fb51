"""`pae bench` says what it measured, for a person and for a script."""

from pathlib import Path

import pytest

from tests.cli.answers import document, refusal
from tests.cli.conftest import Pae

SMALL = ("bench", "file", "--backbone", "small", "--repeats", 1)


@pytest.fixture(autouse=True)
def no_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory and first answers take processes of their own, which tests/bench starts."""
    answers = {"total": 1.0, "ours": 0.5}
    monkeypatch.setattr("paenet.bench.file.peak_of_loading", lambda *arguments: None)
    monkeypatch.setattr("paenet.bench.speed.memory_over_dense", lambda *arguments: None)
    monkeypatch.setattr("paenet.bench.speed.first_answer", lambda *arguments: answers)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAENET_CACHE", str(tmp_path / "cache"))


@pytest.mark.slow
def test_figures_are_told_with_what_they_are_of(pae: Pae) -> None:
    done = pae(*SMALL, "--densities", "0.5,0.2")
    assert done.out.startswith("small with random weights (--weights takes trained ones)")
    assert "shared out as 0.5, 0.2" in done.out.replace("\n", " ")
    assert "owner maps ÷ entropy" in done.out
    found = document(pae(*SMALL, "--densities", "0.5,0.2", "--json"))
    assert found["densities"] == [0.5, 0.2]
    assert found["weights"] is None
    assert set(found["of_separate"]) == {"float32", "bfloat16", "int8", "codebook4"}
    assert found["tasks"] == 2


@pytest.mark.slow
def test_speed_is_told_of_any_backbone(pae: Pae) -> None:
    done = pae("bench", "speed", "--backbone", "small", "--repeats", 1)
    assert done.code == 0, done.err
    assert "4 tasks in one pass" in done.out
    assert "÷ as many dense networks, batch 32" in done.out
    refusal(pae("bench", "speed", "--backbone", "smal"), "smal", "did you mean 'small'")


@pytest.mark.parametrize("what", ["file", "speed"])
def test_a_pack_of_ones_own_network_is_refused_with_the_reason(
    what: str, pack: Path, pae: Pae
) -> None:
    refusal(pae("bench", what, "--pack", pack), pack, "its network is code of your own")


@pytest.mark.parametrize("what", ["file", "speed"])
def test_a_backbone_of_ones_own_is_refused_before_the_work(
    what: str, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paenet.bench.sample", None)
    monkeypatch.setattr("paenet.bench.sample_with_stems", None)
    done = pae("bench", what, "--backbone", "tests.training.toys:tiny")
    refusal(done, "--backbone", "tests.training.toys:tiny: its network is code of your own")


@pytest.mark.parametrize(
    ("what", "option", "value"),
    [
        ("file", "--densities", "0.5,0.2"),
        ("file", "--backbone", "small"),
        ("file", "--weights", "facenet"),
        ("speed", "--backbone", "small"),
        ("speed", "--weights", "facenet"),
    ],
)
def test_what_would_do_nothing_beside_a_pack_is_refused(
    what: str, option: str, value: str, pack: Path, pae: Pae
) -> None:
    refusal(pae("bench", what, "--pack", pack, option, value), "--pack", f"{option} beside it")


@pytest.mark.parametrize("shares", ["0.5,x", "0.7,0.4", "0,0.1", "", "nan", "0.5,nan", "inf"])
def test_shares_that_cannot_be_are_refused(pae: Pae, shares: str) -> None:
    refusal(pae(*SMALL, "--densities", shares), "--densities", "above 0 that sum to at most 1")
