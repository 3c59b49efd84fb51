"""A document that cannot be true is refused, by the name of the key."""

from pathlib import Path
from typing import Any

import pytest
from torch import Tensor, nn

from paenet.packfile import PackFileError, describe, read
from paenet.packfile.schema import plain
from tests.packfile.files import changed, saved, tiny

BROKEN: dict[str, tuple[tuple[object, ...], object, str]] = {
    "no-backbone": (("backbone",), None, "backbone"),
    "nameless-backbone": (("backbone", "name"), "", "backbone.name"),
    "no-width": (("widths",), [], "widths"),
    "width-of-zero": (("widths", 0), 0.0, "widths"),
    "width-of-text": (("widths", 0), "wide", "widths"),
    "too-many-widths": (("widths",), [1.0] * 300, "widths"),
    "other-base": (("base",), "b", "base: 'b' is not the first task, 'a'"),
    "no-base": (("base",), None, "base"),
    "example-of-nothing": (("example",), [0], "example"),
    "example-too-large": (("example",), [60_000, 60_000], "example"),
    "tasks-of-text": (("tasks",), "a, b", "tasks"),
    "task-of-text": (("tasks", 0), "a", "tasks.0"),
    "name-with-escape": (("tasks", 0, "name"), "a\x1b[2J", "tasks.0.name"),
    "name-taken": (("tasks", 1, "name"), "a", "tasks.1: the name 'a' is taken"),
    "slot-taken": (("tasks", 1, "slot"), 1, "tasks.1: slot 1 is taken"),
    "slot-of-free": (("tasks", 1, "slot"), 0, "tasks.1.slot"),
    "slot-too-high": (("tasks", 1, "slot"), 256, "tasks.1.slot"),
    "slot-of-truth": (("tasks", 0, "slot"), True, "tasks.0.slot"),
    "slot-of-text": (("tasks", 0, "slot"), "1", "tasks.0.slot"),
    "sees-later": (("tasks", 0, "sees"), ["b"], "tasks.0: sees ['b']"),
    "sees-itself": (("tasks", 1, "sees"), ["b"], "tasks.1: sees ['b']"),
    "sees-stranger": (("tasks", 1, "sees"), ["x"], "tasks.1: sees ['x']"),
    "sees-twice": (("tasks", 1, "sees"), ["a", "a"], "tasks.1: sees a task twice"),
    "picks-from-none": (("tasks", 0, "picks"), True, "tasks.0: picks weights and sees no task"),
    "picks-of-text": (("tasks", 1, "picks"), "yes", "tasks.1.picks"),
    "width-unknown": (("tasks", 1, "width"), 1, "tasks.1: width 1 does not exist"),
    "fingerprint": (("tasks", 0, "fingerprint"), "no", "tasks.0.fingerprint"),
    "notes-of-text": (("tasks", 0, "notes"), "x", "tasks.0.notes"),
    "head-of-text": (("tasks", 0, "head"), "Linear", "tasks.0.head"),
    "no-codings": (("tasks", 1, "codings"), None, "tasks.1.codings"),
    "coding-unknown": (("tasks", 1, "codings", "values"), "int9", "tasks.1.codings.values"),
    "coding-of-nine-bits": (("tasks", 0, "codings", "values"), "codebook9", "tasks.0.codings.val"),
    "coding-that-leaves": (("tasks", 0, "codings", "head"), "../head", "tasks.0.codings.head"),
    "about-of-nothing": (("about",), None, "about"),
}


@pytest.mark.parametrize(("place", "value", "message"), BROKEN.values(), ids=BROKEN)
def test_a_value_that_cannot_be_is_named(
    place: tuple[Any, ...], value: object, message: str, tmp_path: Path
) -> None:
    def change(document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        target = document
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = value

    path = changed(saved(tiny(), tmp_path), change)
    for function in (describe, lambda p: read(p, backbone=nn.Linear(2, 2))):
        with pytest.raises(PackFileError) as caught:
            function(path)
        assert str(caught.value).startswith(f"{path}: metadata: {message}")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", ["backbone", "example", "base", "widths", "tasks", "about"])
def test_a_missing_key_is_named(key: str, tmp_path: Path) -> None:
    def change(document: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        del document[key]

    path = changed(saved(tiny(), tmp_path), change)
    with pytest.raises(PackFileError, match=f"metadata: {key}: "):
        describe(path)


def test_notes_that_hold_themselves_or_are_too_deep_are_refused_by_their_place() -> None:
    itself: dict[str, Any] = {}
    itself["one"] = itself["two"] = itself
    deep: tuple[Any, ...] = ()
    for _ in range(5000):
        deep = (deep,)
    for value in (itself, deep):
        with pytest.raises(PackFileError, match=r"^notes.*: nested more than 64 deep, or within"):
            plain(value, "notes")
