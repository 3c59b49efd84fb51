"""How far a network grows while a goal is missed."""

from pathlib import Path

import pytest
import torch
from torch import nn

from paenet.backbones import create
from paenet.packing import Pack, weights_at
from paenet.training.algorithm.attempt import _next_width
from tests.training import toys


def test_a_network_grows_no_further_than_the_plan_lets_it() -> None:
    pack = Pack(toys.tiny, example=torch.zeros(1, 3, toys.SIZE, toys.SIZE))
    learner = pack.learn("a", head=nn.Linear(toys.FEATURES, 2), sees="base")
    before = learner.weights
    plans = [
        toys.recipe(toys.task("a", Path("/x.csv"), widen={"ratio": 3.0, **keys})).tasks[0]
        for keys in ({}, {"at_most": 2.0})
    ]
    free, bounded = (_next_width(plan, pack, learner) for plan in plans)
    assert 1 < bounded < free
    learner.widen(bounded, seed=0)
    assert 1.5 * before < learner.weights < 2.5 * before
    assert _next_width(plans[1], pack, learner) is None
    assert _next_width(plans[0], pack, learner) > bounded


def test_after_a_stem_the_whole_network_counts_for_how_far_it_may_grow() -> None:
    pack = Pack(lambda width: create("small", width=width), example=torch.zeros(1, 3, 64, 64))
    pack.learn("base", head=nn.Identity()).freeze()
    learner = pack.learn("a", head=nn.Identity(), stem="stage2")
    begun = sum(weights_at(pack.builder, 1.0).values())
    widen = {"ratio": 9.0, "at_most": 1.2}
    plan = toys.recipe(toys.task("a", Path("/x.csv"), widen=widen)).tasks[0]
    width = _next_width(plan, pack, learner)
    assert sum(weights_at(pack.builder, width).values()) == pytest.approx(1.2 * begun, rel=0.05)
    learner.widen(width)
    assert _next_width(plan, pack, learner) is None


def test_a_network_of_many_factors_grows_by_a_ratio_too() -> None:
    pack = Pack(lambda width: create("small", width=width), example=torch.zeros(1, 3, 64, 64))
    pack.learn("base", head=nn.Identity()).freeze()
    learner = pack.learn("a", head=nn.Identity())
    learner.widen({"stage3": 1.5})
    before = sum(weights_at(pack.builder, learner.width).values())
    plan = toys.recipe(toys.task("a", Path("/x.csv"), widen={"ratio": 1.5})).tasks[0]
    after = _next_width(plan, pack, learner)
    assert after["stage3"] == pytest.approx(1.5 * after["*"])
    assert sum(weights_at(pack.builder, after).values()) == pytest.approx(1.5 * before, rel=0.05)


def test_a_width_that_is_named_is_taken_once() -> None:
    pack = Pack(toys.tiny, example=torch.zeros(1, 3, toys.SIZE, toys.SIZE))
    learner = pack.learn("a", head=nn.Linear(toys.FEATURES, 2))
    plan = toys.recipe(toys.task("a", Path("/x.csv"), widen={"width": 1.5})).tasks[0]
    assert _next_width(plan, pack, learner) == 1.5
    learner.widen(1.5)
    assert _next_width(plan, pack, learner) is None
