"""A split drawn by hash depends on the name alone, and never changes between releases."""

from paenet.datasets.drawing import tenth, three_ways, two_ways


def test_the_same_name_draws_the_same_for_ever() -> None:
    assert [tenth(name) for name in ("a/0.jpg", "n000002", "é", "")] == [1, 1, 8, 0]


def test_names_spread_evenly_over_ten_parts() -> None:
    drawn = [tenth(f"{n}.jpg") for n in range(10_000)]
    assert all(900 < drawn.count(part) < 1100 for part in range(10))


def test_validation_is_the_same_tenth_with_and_without_a_test_split() -> None:
    for n in range(200):
        two, three = two_ways(str(n)), three_ways(str(n))
        assert (two == "val") == (three == "val")
        assert two != "test"


def test_a_name_that_is_no_text_draws_too() -> None:
    assert three_ways("\udce9.jpg") in ("train", "val", "test")
