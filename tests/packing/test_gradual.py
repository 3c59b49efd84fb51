"""Gradual pruning leaves the learner as the last stage that held the goal left it."""

import pytest
import torch

from paenet.packing import Learner, Schedule, Trial, prune_gradually
from tests.packing.networks import batch_norm, head, outputs, packed, teach, train


def trained() -> Learner:
    pack = packed(batch_norm)
    teach(pack, "identity")
    learner = pack.learn("gender", head=head())
    train(learner)
    return learner


def state(learner: Learner) -> dict[str, torch.Tensor]:
    return {key: tensor.clone() for key, tensor in learner.state_dict().items()}


def test_while_the_goal_holds_it_goes_to_the_end_of_the_ramp() -> None:
    learner = trained()
    schedule = Schedule(end=0.8, stages=3)
    trials = prune_gradually(learner, schedule, lambda: train(learner, 1), lambda: True)
    assert trials == [Trial(schedule.at(stage), True) for stage in (1, 2, 3)]
    assert learner.sparsity == pytest.approx(0.8, abs=0.02)


def test_a_stage_that_misses_is_undone_bit_for_bit() -> None:
    learner = trained()
    parameters = list(learner.parameters())
    after: list[dict[str, torch.Tensor]] = []
    verdicts = iter([True, True, False])

    def holds() -> bool:
        after.append(state(learner))
        return next(verdicts)

    trials = prune_gradually(
        learner, Schedule(end=0.9, stages=5), lambda: train(learner, 1), holds, rank="global"
    )
    assert [trial.held for trial in trials] == [True, True, False]
    held, missed, now = after[1], after[2], state(learner)
    assert all(torch.equal(now[key], held[key]) for key in held)
    assert any(not torch.equal(now[key], missed[key]) for key in missed)
    assert all(a is b for a, b in zip(parameters, learner.parameters(), strict=True))
    assert learner.sparsity == pytest.approx(trials[1].share, abs=0.02)


def test_bisections_close_in_on_the_largest_share_that_holds() -> None:
    learner = trained()
    trials = prune_gradually(
        learner,
        Schedule(end=0.9, stages=1),
        retrain=lambda: None,
        holds=lambda: learner.sparsity < 0.6,
        bisections=5,
    )
    assert [trial.held for trial in trials] == [trial.share < 0.6 for trial in trials]
    assert 0.55 < learner.sparsity < 0.6


def test_where_nothing_held_the_learner_is_as_it_was() -> None:
    learner = trained()
    before, weights = outputs(learner), learner.weights
    trials = prune_gradually(
        learner, Schedule(end=0.9, stages=3), lambda: train(learner, 1), lambda: False
    )
    assert [trial.held for trial in trials] == [False]
    assert learner.weights == weights
    assert torch.equal(outputs(learner), before)
