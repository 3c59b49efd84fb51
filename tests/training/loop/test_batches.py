"""Which examples a batch has, and in which order: the same whenever it is asked for."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paenet.datasets import Augment
from paenet.training.errors import RecipeError
from paenet.training.examples.data import View
from paenet.training.examples.sources import ImageSource
from paenet.training.loop.batches import Batches
from paenet.training.recipe.plan import Budget
from tests.training.examples.test_data import CPU, STILL, split_of


def batches(count: int = 40, key: str = "a/train", **changes: Any) -> Batches:
    budget = Budget(batch=changes.pop("batch", 8), examples=changes.pop("examples", None))
    split = split_of(count)
    source = ImageSource(split, View(4, 0.0, 1.0), changes.pop("varied", STILL))
    return Batches(source, split.targets, budget, 1, key, **changes)


@settings(max_examples=25)
@given(st.integers(8, 60), st.integers(2, 8), st.integers(1, 3))
def test_an_epoch_draws_no_example_twice_and_none_is_always_left_out(
    count: int, batch: int, epochs: int
) -> None:
    made = batches(count, batch=batch)
    for epoch in range(epochs):
        steps = range(epoch * made.epoch_steps, (epoch + 1) * made.epoch_steps)
        drawn = np.concatenate([made.rows(step) for step in steps])
        assert len(drawn) == made.epoch_steps * min(batch, count)
        assert len(set(drawn.tolist())) == len(drawn)
    over_epochs = {row for step in range(30 * made.epoch_steps) for row in made.rows(step)}
    assert over_epochs == set(range(count))


def test_batches_are_a_function_of_seed_stage_and_step() -> None:
    one, other = batches(varied=Augment()), batches(varied=Augment())
    for step in (7, 0, 3):  # in any order, however many came before
        torch.rand(3)
        assert all(torch.equal(a, b) for a, b in zip(one(step, CPU), other(step, CPU), strict=True))  # type: ignore[arg-type]


def test_epochs_and_stages_come_in_orders_of_their_own() -> None:
    made, later_stage = batches(), batches(key="a/prune-1")
    first = [made.rows(step).tolist() for step in range(made.epoch_steps)]
    second = [made.rows(step + made.epoch_steps).tolist() for step in range(made.epoch_steps)]
    assert first != second
    assert first != [later_stage.rows(step).tolist() for step in range(made.epoch_steps)]


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_processes_share_out_every_batch(processes: int) -> None:
    shares = [batches(process=index, processes=processes) for index in range(processes)]
    alone = batches()
    for step in range(2 * alone.epoch_steps):
        targets = [share(step, CPU)[1] for share in shares]
        together = torch.cat([part for part in targets if part is not None])
        assert sorted(together.tolist()) == sorted(alone.rows(step).tolist())
        assert len(set(together.tolist())) == len(together)


def test_processes_vary_their_images_each_in_its_own_way() -> None:
    def brightness(process: int) -> Tensor:
        made = batches(varied=Augment(brightness=0.5), process=process, processes=2)
        pixels, rows = made(0, CPU)
        assert rows is not None
        return pixels.flatten(1).mean(1) / (rows + 1)

    assert not torch.allclose(brightness(0), brightness(1))


def test_a_process_never_gets_a_single_example() -> None:
    with pytest.raises(RecipeError, match=r"a/train: batches of 8 out of 40 .* raise budget.batch"):
        batches(processes=5)
    with pytest.raises(RecipeError, match="out of 3 examples"):
        batches(3, processes=2)


@pytest.mark.parametrize(("epochs", "steps"), [(0, 0), (0.01, 1), (0.5, 2), (1, 5), (2.5, 12)])
def test_a_part_of_an_epoch_is_so_many_steps(epochs: float, steps: int) -> None:
    assert batches(40).steps(epochs) == steps


def test_an_epoch_may_be_a_part_of_the_examples() -> None:
    made = batches(40, examples=16)
    assert (made.epoch_examples, made.epoch_steps) == (16, 2)
    epochs = [set(made.rows(2 * e)) | set(made.rows(2 * e + 1)) for e in range(2)]
    assert all(len(epoch) == 16 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_fewer_examples_than_a_batch_are_one_batch() -> None:
    made = batches(5, batch=8)
    assert made.steps(2) == 2
    assert sorted(made.rows(1).tolist()) == list(range(5))
