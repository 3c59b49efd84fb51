"""Value grids: few values to a layer, the nearest ones, and for ever the same."""

import pytest
import torch
from torch import Tensor, nn

from paenet.packing import GRIDS, Pack, PackingError
from paenet.packing.values import CODEBOOKS, fit_table, snap
from tests.packing.networks import OPTIMIZERS, Promise, batch_norm, head, outputs, packed, train

# Mean squared error of the best quantiser of a normal distribution (Max, 1960, table I).
OPTIMAL = {"codebook3": 0.03454, "codebook4": 0.009497, "codebook5": 0.002499}


def layer(share: float = 0.5) -> tuple[Tensor, Tensor]:
    return torch.randn(64, 300), torch.rand(64, 300) < share


def snapped(grid: str, weight: Tensor, mine: Tensor) -> Tensor:
    return snap(grid, weight, mine, fit_table(grid, weight, mine))


@pytest.mark.parametrize("grid", GRIDS)
def test_snapping_again_changes_nothing(grid: str) -> None:
    weight, mine = layer()
    table = fit_table(grid, weight, mine)
    once = snap(grid, weight, mine, table)
    again = torch.where(mine, once, 7.0)  # others' weights have no say
    assert torch.equal(snap(grid, again, mine, table)[mine], once[mine])
    assert torch.equal(snapped(grid, again, mine)[mine], once[mine])


@pytest.mark.parametrize("grid", CODEBOOKS)
def test_a_codebook_leaves_as_many_values_as_it_has_and_each_weight_the_nearest(grid: str) -> None:
    weight, mine = layer()
    table = fit_table(grid, weight, mine)
    assert table is not None
    values = snap(grid, weight, mine, table)[mine]
    assert len(values.unique()) <= CODEBOOKS[grid]
    distances = (weight[mine][:, None] - table).abs()
    assert torch.allclose((weight[mine] - values).abs(), distances.amin(1), atol=1e-6)


@pytest.mark.parametrize("grid", OPTIMAL)
def test_a_codebook_is_nearly_as_good_as_one_can_be(grid: str) -> None:
    weight, mine = torch.randn(100, 1000), torch.ones(100, 1000, dtype=torch.bool)
    error = (snapped(grid, weight, mine) - weight).square().mean()
    assert error < 1.03 * OPTIMAL[grid]


def test_int8_has_127_steps_to_the_largest_weight_of_each_channel() -> None:
    weight, mine = layer()
    weight *= torch.logspace(-3, 3, 64)[:, None]
    values = snapped("int8", weight, mine)
    for before, after, own in zip(weight, values, mine, strict=True):
        step = after[own].abs().max() / 127
        whole = after[own] / step
        assert torch.equal(whole, whole.round())
        assert (before[own] - after[own]).abs().max() <= 0.5001 * step


def test_int8_is_no_finer_than_what_a_task_sees_beside_its_own_weights() -> None:
    weight, mine = layer()
    beside = torch.where(mine, 0.0, 50 * torch.randn(64, 300))
    values = snap("int8", weight, mine, None, beside)
    steps = beside.abs().amax(1, keepdim=True) / 127
    whole = values / steps
    assert torch.allclose(whole[mine], whole[mine].round(), atol=0.02)
    assert ((weight - values).abs() / steps)[mine].max() <= 0.51
    again = torch.where(mine, values, 7.0)
    assert torch.equal(snap("int8", again, mine, None, beside)[mine], values[mine])
    small = snap("int8", weight, mine, None, beside / 1000)  # its own reach further
    assert torch.equal(small[mine], snapped("int8", weight, mine)[mine])


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("value", [0.0, -0.0, 1e-30, 3.0])
def test_a_layer_of_one_value_is_kept(grid: str, value: float) -> None:
    weight = torch.full((2, 3), value)
    values = snapped(grid, weight, torch.ones(2, 3, dtype=torch.bool))
    assert torch.allclose(values, weight, rtol=0.004, atol=1e-8)
    assert grid == "float32" or not (values == 0).logical_and(values.signbit()).any()


@pytest.mark.parametrize("grid", GRIDS)
def test_a_layer_without_own_weights_is_no_trouble(grid: str) -> None:
    weight, mine = torch.randn(2, 3), torch.zeros(2, 3, dtype=torch.bool)
    assert snapped(grid, weight, mine).shape == weight.shape


@pytest.mark.parametrize("grid", GRIDS)
def test_a_layer_of_no_weights_is_no_trouble(grid: str) -> None:
    pack = Pack(nn.Sequential(nn.Linear(2, 0), nn.Linear(0, 2)))
    learner = pack.learn("a", head=nn.Identity())
    learner.snap(grid)
    expected = learner(torch.ones(1, 2))
    learner.freeze()
    assert torch.equal(pack.materialize("a")(torch.ones(1, 2)), expected)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("grid", GRIDS)
def test_what_was_trained_on_a_grid_is_what_is_stored(grid: str, make) -> None:  # type: ignore[no-untyped-def]
    pack, promise = packed(batch_norm), Promise()
    for name in ("identity", "gender"):
        learner = pack.learn(name, head=head())
        learner.prune(to=0.4)
        learner.snap(grid)
        train(learner, 2, make)
        learned = outputs(learner)
        learner.freeze()
        promise.check_older(pack)
        promise.make(pack, name)
        assert torch.equal(promise.made[name][1], learned)
        if grid in CODEBOOKS:
            slot = pack.tasks[name].slot
            for stored in pack.layers.values():
                assert len(stored.theta[stored.owner == slot].unique()) <= CODEBOOKS[grid]


def test_training_moves_weights_from_one_value_to_another() -> None:
    pack = packed(batch_norm)
    learner = pack.learn("identity", head=head())
    learner.snap("codebook3")
    (theta, weight) = next(iter(learner.owned().values()))
    before = weight(theta).detach().clone()
    train(learner, 3)
    after = weight(theta).detach()
    assert not torch.equal(before, after)
    assert set(after.unique().tolist()) <= set(before.unique().tolist())


def test_a_grid_can_be_lifted_again() -> None:
    learner = packed(batch_norm).learn("identity", head=head())
    before = outputs(learner)
    keys = set(learner.state_dict())
    learner.snap("codebook3")
    assert not torch.equal(outputs(learner), before)
    learner.snap("float32")
    assert torch.equal(outputs(learner), before)
    assert set(learner.state_dict()) == keys


def test_norms_and_head_are_rounded_where_they_are_the_tasks_own() -> None:
    pack = packed(batch_norm)
    for norms in ("own", "base"):
        learner = pack.learn(norms, head=head(), norms=norms)
        train(learner, 1)
        learner.round_rest()
        learner.freeze()
        rest = [*pack.tasks[norms].private.values(), *pack.tasks[norms].head.state_dict().values()]
        assert all(torch.equal(t, t.bfloat16().to(t.dtype)) for t in rest if t.is_floating_point())


@pytest.mark.parametrize("grid", ["codebook9", "int4", "Int8"])
def test_an_unknown_grid_is_refused_with_the_nearest(grid: str) -> None:
    learner = packed(batch_norm).learn("identity", head=head())
    with pytest.raises(PackingError, match=f"unknown values '{grid}'; (did you mean|known: )"):
        learner.snap(grid)


def test_grids_are_for_float32_weights() -> None:
    learner = Pack(nn.Linear(2, 2).double()).learn("identity", head=nn.Identity())
    with pytest.raises(
        PackingError, match=r"'int8' are for float32 weights, these are torch.float64"
    ):
        learner.snap("int8")
    learner.snap("float32")


def test_a_frozen_task_is_snapped_no_more() -> None:
    pack = packed(batch_norm)
    learner = pack.learn("identity", head=head())
    learner.freeze()
    for change in (lambda: learner.snap("int8"), learner.round_rest):
        with pytest.raises(PackingError, match="'identity' is frozen"):
            change()
