"""A method is data, and an unknown one is refused by name."""

from dataclasses import FrozenInstanceError

import pytest

from paenet.packing import METHODS, Method, PackingError, method


def test_the_method_of_the_paper_sees_the_base_prunes_to_the_goal_and_widens_when_missed() -> None:
    assert method("pae") == Method("base", "free", "to-goal", "when-missed", separate=False)


def test_every_method_of_the_table_is_there() -> None:
    assert set(METHODS) == {
        *("pae", "pae-all", "packnet", "progressive", "cpg", "piggyback", "features", "individual")
    }


def test_the_methods_that_pick_are_those_whose_papers_do() -> None:
    assert method("cpg") == Method("all", "free", "to-goal", "when-missed", picks=True)
    assert method("piggyback") == Method("base", "none", "never", "never", picks=True)
    assert {name for name in METHODS if METHODS[name].picks} == {"cpg", "piggyback"}


def test_order_matters_where_later_tasks_train_weights_of_one_network() -> None:
    assert {name for name in METHODS if not METHODS[name].ordered} == {
        *("piggyback", "features", "individual")
    }


def test_a_method_is_data() -> None:
    with pytest.raises(FrozenInstanceError):
        method("pae").sees = "all"  # type: ignore[misc]


def test_an_unknown_method_is_refused_and_the_nearest_offered() -> None:
    with pytest.raises(PackingError, match=r"unknown method 'paknet'; did you mean 'packnet'\?"):
        method("paknet")
