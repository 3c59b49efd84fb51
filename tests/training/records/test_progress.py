"""What a person sees of a run where there is no terminal: lines, now and then, on stderr."""

from types import SimpleNamespace

import pytest

from paenet.training.records import progress
from paenet.training.records.progress import PAUSE, Live

Captured = pytest.CaptureFixture[str]


class Clock:
    """Stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of what is reported."""
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    clock = Clock()
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def advance(live: Live, clock: Clock, steps: int, seconds: float) -> None:
    """So many steps, which take so long each."""
    for _ in range(steps):
        clock.now += seconds
        live.advance(2.0)


def lines(captured: Captured) -> list[str]:
    """What was said since; nothing of it on stdout, which is for results."""
    out, err = captured.readouterr()
    assert out == ""
    return [line for line in err.splitlines() if line.strip()]


def test_a_short_stage_says_nothing(clock: Clock, capsys: Captured) -> None:
    live = Live()
    live.begin("a/train", 100, 0, "")
    advance(live, clock, 100, PAUSE / 101)
    live.close()
    assert lines(capsys) == []


def test_a_long_stage_says_now_and_then_where_it_is_and_how_long_it_lasts(
    clock: Clock, capsys: Captured
) -> None:
    live = Live()
    live.begin("a/train", 100, 0, "0% released")
    advance(live, clock, 50, PAUSE / 10)
    live.close()
    assert lines(capsys) == [
        f"a/train: {done}/100  loss 2.000  {(100 - done) * PAUSE / 10 / 60:.1f} min left"
        for done in (10, 20, 30, 40, 50)
    ]


def test_a_stage_that_goes_on_counts_on_and_reckons_by_its_own_steps(
    clock: Clock, capsys: Captured
) -> None:
    live = Live()
    live.begin("a/train", 100, 90, "")
    advance(live, clock, 1, 60.0)
    live.close()
    assert lines(capsys) == ["a/train: 91/100  loss 2.000  9.0 min left"]


def test_what_takes_time_and_is_no_training_is_counted_too(clock: Clock, capsys: Captured) -> None:
    live = Live()
    for done in (0, 30, 60):
        live.count("a/decode", done, 120)
        clock.now += 30
    live.count("a/decode", 1, 40)  # the next split begins anew
    live.close()
    assert lines(capsys) == ["a/decode: 30/120  1.5 min left", "a/decode: 60/120  1.0 min left"]


def test_a_result_is_said_at_once_and_as_it_is(clock: Clock, capsys: Captured) -> None:
    text = "a: 2 broken images in [train] are left out, the first: " + "x/" * 200 + "[bold]1.png"
    live = Live()
    live.say(text)
    live.close()
    assert lines(capsys) == [text]


def test_an_end_without_a_beginning_says_nothing(clock: Clock, capsys: Captured) -> None:
    Live().close()
    assert lines(capsys) == []
