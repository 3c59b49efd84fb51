"""What is left out is counted in full and named in part."""

import json

from paenet.datasets import Skipped, join
from paenet.datasets.examples import Examples
from paenet.datasets.skipped import NAMED, Tally, merge, quoted


def tally(*reasons: str) -> Skipped:
    counted = Tally()
    for number, reason in enumerate(reasons):
        counted.add(reason, f"line {number}")
    return counted.result()


def test_the_first_few_are_named_and_all_are_counted() -> None:
    found = tally(*["a"] * 5, "b", *["a"] * 2)
    assert found.counts == {"a": 7, "b": 1}
    assert found.first == {"a": tuple(f"line {n}" for n in range(NAMED)), "b": ("line 5",)}
    assert len(found) == 8
    assert found.summary() == "8 rows are left out: 7 × a (first: line 0), 1 × b (first: line 5)"
    assert tally("a").summary() == "1 row is left out: 1 × a (first: line 0)"
    assert json.loads(json.dumps(found.as_json())) == {
        "rows": 8,
        "summary": found.summary(),
        "reasons": [
            {"reason": "a", "rows": 7, "first": ["line 0", "line 1", "line 2"]},
            {"reason": "b", "rows": 1, "first": ["line 5"]},
        ],
    }


def test_nothing_is_false() -> None:
    assert not Skipped()
    assert tally("a")


def test_a_million_reasons_are_told_as_a_few() -> None:
    found = tally(*(f"age {n}" for n in range(1000)))
    assert len(found.counts) < 50
    assert len(found) == 1000
    assert "38 reasons more" in found.summary()


def test_merging_adds_up() -> None:
    one, two = tally(*"aab"), tally(*"abbb")
    both = merge([one, two])
    assert both.counts == {"b": 4, "a": 3}
    assert both.first["a"] == ("line 0", "line 1", "line 0")
    assert merge([one]) == one
    assert merge([]) == Skipped()


def test_joined_examples_leave_out_what_their_parts_do() -> None:
    parts = [Examples(n, ("x",), {}, lambda row: row, n, tally(n)) for n in "ab"]  # type: ignore
    assert join(parts).skipped.counts == {"a": 1, "b": 1}
    assert parts[0].select([0, 0]).skipped.counts == {"a": 1}


def test_quoted_values_are_short_and_printable() -> None:
    assert quoted("é\n\x00") == r"'\xe9\n\x00'"
    assert len(quoted("x" * 10**6)) < 30
