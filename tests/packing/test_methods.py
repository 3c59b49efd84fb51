"""A method is data, and an unknown one is refused by name."""

from dataclasses import FrozenInstanceError

import pytest

from paenet.packing import METHODS, Method, PackingError, method


def test_the_method_of_the_paper_sees_the_base_prunes_to_the_goal_and_widens_when_missed() -> None:
    assert method("pae") == Method("base", "free", "to-goal", "when-missed", separate=False)


def test_every_method_of_the_table_is_there_but_the_learned_pick() -> None:
    assert set(METHODS) == {*("pae", "pae-all", "packnet", "progressive", "features", "individual")}


def test_a_method_is_data() -> None:
    with pytest.raises(FrozenInstanceError):
        method("pae").sees = "all"  # type: ignore[misc]


def test_an_unknown_method_is_refused_and_the_nearest_offered() -> None:
    with pytest.raises(PackingError, match=r"unknown method 'paknet'; did you mean 'packnet'\?"):
        method("paknet")
