"""How far a network grows while a goal is missed."""

from pathlib import Path

import torch
from torch import nn

from paenet.packing import Pack
from paenet.training.attempt import _next_width
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
