"""Batch norms that keep their running statistics while a network learns."""

import pytest
import torch
from torch import Tensor, nn

from paenet.training.loop.fitting import Trainee


def statistics_after_a_step(*, fixed: bool) -> tuple[Tensor, Tensor]:
    norm = nn.BatchNorm1d(4)
    trainee = Trainee(
        nn.Sequential(nn.Linear(4, 4), norm), nn.MSELoss(), fixed_statistics=fixed
    ).train()
    before = norm.running_mean.clone()
    trainee(torch.randn(8, 4), torch.randn(8, 4)).backward()
    assert norm.weight.grad is not None
    return before, norm.running_mean


@pytest.mark.parametrize("fixed", [True, False])
def test_fixed_statistics_stay_and_others_follow_the_batches(fixed: bool) -> None:
    before, after = statistics_after_a_step(fixed=fixed)
    assert torch.equal(before, after) == fixed
