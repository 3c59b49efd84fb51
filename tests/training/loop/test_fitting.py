"""One stage of training: its learning rate, its checkpoints, and that it goes on bit by bit."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from paenet import packing
from paenet.training.errors import RunError
from paenet.training.examples.data import Split, View
from paenet.training.examples.sources import ImageSource
from paenet.training.loop import fitting
from paenet.training.loop.batches import Batches
from paenet.training.loop.fitting import Stage, Trainee, cycle, estimate_statistics, fit
from paenet.training.loop.state import read_about
from paenet.training.recipe.plan import Budget
from paenet.training.records.progress import Silent
from tests.training import toys

STAGE = Stage("a/train", epochs=2, rate=0.01, decay=0.1)
ORIGIN = {"plan": "p", "pack": "q"}


def network() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.Dropout(0.3), nn.Flatten(),
        nn.Linear(4 * 36, 2),
    )  # fmt: skip


def trainee(**keys: Any) -> Trainee:
    return Trainee(network(), nn.CrossEntropyLoss(), **keys)


def train(
    module: Trainee,
    folder: Path,
    stage: Stage = STAGE,
    *,
    seconds: float = 0.0,
    origin: dict[str, str] = ORIGIN,
    reporter: Silent | None = None,
    precision: str = "no",
) -> float:
    AcceleratorState._reset_state()  # of another precision
    return fit(
        stage,
        module,
        batches(stage.key),
        accelerator=Accelerator(mixed_precision=precision, cpu=True),
        checkpoint=folder / "checkpoint.safetensors",
        checkpoint_seconds=seconds,
        origin=origin,
        reporter=reporter or Silent(),
    )


def bits(module: nn.Module) -> list[bytes]:
    return [tensor.numpy().tobytes() for tensor in module.state_dict().values()]


def batches(key: str) -> Batches:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8)
    split = Split(pixels, torch.arange(32) % 2)
    source = ImageSource(split, View(8, 127.5, 128.0))
    return Batches(source, split.targets, Budget(batch=8), 5, key)


def test_statistics_are_estimated_alike_whatever_was_drawn_before() -> None:
    found = []
    for seed in (1, 2):
        torch.manual_seed(4)
        layers = nn.Flatten(), nn.Dropout(0.5), nn.Linear(3 * 64, 4), nn.BatchNorm1d(4)
        module = Trainee(nn.Sequential(*layers), nn.CrossEntropyLoss()).train()
        torch.manual_seed(seed)
        estimate_statistics(module, batches("a/int8"), accelerator=Accelerator(cpu=True))
        found.append(bits(module))
    assert found[0] == found[1]


def test_processes_agree_on_statistics_that_are_counted_and_leave_fixed_ones_alone() -> None:
    class Several:
        num_processes = 3

        def reduce(self, tensor: torch.Tensor, reduction: str) -> torch.Tensor:
            return tensor + 1.0  # whatever the others have

    module = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2).eval())
    fitting._agree_on_statistics(module, Several())  # type: ignore[arg-type]
    counted, fixed = module
    assert torch.equal(counted.running_mean, torch.ones(2))
    assert torch.equal(fixed.running_mean, torch.zeros(2))
    assert torch.equal(fixed.running_var, torch.ones(2))


def test_scores_are_a_group_of_their_own_that_does_not_decay() -> None:
    pack = packing.Pack(network())
    pack.learn("a", head=nn.Identity()).freeze()
    learner = pack.learn("b", head=nn.Identity(), picks=True)
    module = Trainee(learner, nn.CrossEntropyLoss())
    *others, last = fitting._groups(module, 0.1)
    scores = {"params": packing.scores_of(learner), "weight_decay": 0.0}
    assert last == scores | {"pace": fitting.SCORES_PACE}
    assert {group["pace"] for group in others} == {1.0}
    rest = [p for group in others for p in group["params"]]  # type: ignore[attr-defined]
    counted = len(rest) + len(packing.scores_of(learner))
    assert counted == len({id(p) for p in module.parameters() if p.requires_grad})


def test_scores_take_smaller_steps_than_weights(tmp_path: Path) -> None:
    pack = packing.Pack(network())
    pack.learn("a", head=nn.Identity()).freeze()
    learner = pack.learn("b", head=nn.Identity(), picks=True)
    module = Trainee(learner, nn.CrossEntropyLoss())
    scores = packing.scores_of(learner)
    norms = [p for p in module.parameters() if p.requires_grad and p.dim() == 1 and p.numel()]
    before = [p.detach().clone() for p in (*scores, *norms)]
    train(module, tmp_path, dataclasses.replace(STAGE, epochs=0.25))  # AdamW's first step
    moved = [
        float((p.detach() - was).abs().max())
        for p, was in zip((*scores, *norms), before, strict=True)
    ]
    step = STAGE.rate * cycle(1 / 2)
    assert max(moved[: len(scores)]) == pytest.approx(fitting.SCORES_PACE * step, rel=1e-3)
    assert max(moved[len(scores) :]) == pytest.approx(step, rel=1e-3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """A stage that nothing interrupted."""
    module = trainee()
    train(module, tmp_path_factory.mktemp("whole"), seconds=1e9)
    return bits(module)


def test_the_learning_rate_goes_up_once_and_down_once() -> None:
    rates = [cycle(step / 1000) for step in range(1, 1000)]
    top = rates.index(max(rates))
    assert top / 1000 == pytest.approx(0.1, abs=0.002)
    assert max(rates) == pytest.approx(1, abs=1e-3)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert 0 < rates[0] < 0.02
    assert 0 < rates[-1] < 1e-4


def test_weights_decay_and_biases_norms_and_slopes_do_not() -> None:
    module = trainee()
    groups = fitting._groups(module, 0.1)
    decays = {id(p): g["weight_decay"] for g in groups for p in g["params"]}  # type: ignore[attr-defined]
    layers = module.learner
    assert isinstance(layers, nn.Sequential)
    found = {name: decays[id(p)] for name, p in layers.named_parameters()}
    assert {name for name, decay in found.items() if decay} == {"0.weight", "5.weight"}


@pytest.mark.parametrize("steps", [1, 4, 7, 8])
def test_a_stage_killed_after_any_step_goes_on_and_ends_with_the_same_bits(
    steps: int, tmp_path: Path, trained: list[bytes]
) -> None:
    with pytest.raises(toys.Killed):
        train(trainee(), tmp_path, reporter=toys.Mortal(steps))
    module = trainee()
    with torch.no_grad():  # whatever the process that goes on starts with
        for parameter in module.parameters():
            parameter.add_(1)
    if steps > 1:  # the first checkpoint is behind the first step's report
        train(module, tmp_path)
        assert bits(module) == trained


def test_a_stage_goes_on_where_it_was_not_from_its_beginning(tmp_path: Path) -> None:
    with pytest.raises(toys.Killed):
        train(trainee(), tmp_path, reporter=toys.Mortal(6))
    begun = []

    class Seeing(Silent):
        def begin(self, key: str, steps: int, done: int, status: str) -> None:
            begun.append((key, steps, done))

    train(trainee(), tmp_path, reporter=Seeing())
    assert begun == [("a/train", 8, 5)]


def test_time_that_a_killed_attempt_spent_counts(tmp_path: Path) -> None:
    with pytest.raises(toys.Killed):
        train(trainee(), tmp_path, reporter=toys.Mortal(3))
    spent = read_about(tmp_path / "checkpoint.safetensors")
    assert spent is not None
    assert train(trainee(), tmp_path) > spent["seconds"] > 0


def test_without_a_kill_checkpoints_change_nothing(tmp_path: Path, trained: list[bytes]) -> None:
    module = trainee()
    train(module, tmp_path, seconds=0)
    assert bits(module) == trained


@pytest.mark.parametrize("change", [{"key": "a/prune-1"}, {"plan": "other"}, {"pack": "other"}])
def test_a_checkpoint_of_another_stage_plan_or_pack_is_not_continued(
    change: dict[str, str], tmp_path: Path
) -> None:
    key = change.pop("key", STAGE.key)
    with pytest.raises(toys.Killed):
        train(trainee(), tmp_path, reporter=toys.Mortal(5))
    stage = dataclasses.replace(STAGE, key=key)
    fresh, other = trainee(), trainee()
    train(fresh, tmp_path / "..", stage, seconds=1e9)
    train(other, tmp_path, stage, seconds=1e9, origin=ORIGIN | change)
    assert bits(other) == bits(fresh)


@pytest.mark.parametrize("content", [b"", b"no safetensors", None])
def test_a_checkpoint_that_cannot_be_read_is_passed_over(
    content: bytes | None, tmp_path: Path, trained: list[bytes]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    module = trainee()
    train(module, tmp_path, seconds=1e9)
    assert bits(module) == trained


def test_bfloat16_autocast_goes_on_with_the_same_bits_and_keeps_float32_weights(
    tmp_path: Path,
) -> None:
    whole, resumed = trainee(), trainee()
    train(whole, tmp_path / "..", seconds=1e9, precision="bf16")
    with pytest.raises(toys.Killed):
        train(trainee(), tmp_path, reporter=toys.Mortal(4), precision="bf16")
    train(resumed, tmp_path, precision="bf16")
    assert bits(resumed) == bits(whole)
    assert all(p.dtype == torch.float32 for p in whole.parameters())


def test_no_epochs_change_no_bit(tmp_path: Path) -> None:
    module = trainee()
    before = bits(module)
    train(module, tmp_path, Stage("a/train", 0, 0.01, 0.1))
    assert bits(module) == before


def test_a_network_of_constants_is_refused_before_its_first_step(tmp_path: Path) -> None:
    module = trainee().requires_grad_(False)
    with pytest.raises(RunError, match="a/train: there is nothing to train"):
        train(module, tmp_path)
    train(module, tmp_path, dataclasses.replace(STAGE, epochs=0))


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    losses: list[float] = []

    class Seeing(Silent):
        def advance(self, loss: float) -> None:
            losses.append(loss)

    train(trainee(), tmp_path, Stage("a/train", 20, 0.01, 0.0), seconds=1e9, reporter=Seeing())
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])


def test_a_loss_that_is_no_number_stops_with_the_stage_the_step_and_the_rate(
    tmp_path: Path,
) -> None:
    class Broken(nn.Module):
        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            return outputs.sum() * float("nan")

    with pytest.raises(RunError, match=r"a/train: the loss is nan at step 0; lower .* \(0.01\)"):
        train(Trainee(network(), Broken()), tmp_path)


def test_a_gpu_without_memory_stops_with_the_stage_and_what_to_lower(tmp_path: Path) -> None:
    class Greedy(nn.Module):
        def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
            raise torch.OutOfMemoryError("tried to allocate 2 TiB")

    with pytest.raises(RunError, match=r"^a/train: the GPU has not enough memory; lower budget"):
        train(Trainee(network(), Greedy()), tmp_path)


def test_an_epoch_is_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, randperm = [], torch.randperm

    def counted(count: int, **keys: Any) -> Tensor:
        drawn.append(count)
        return randperm(count, **keys)

    monkeypatch.setattr(torch, "randperm", counted)
    several = batches("an epoch of its own")
    rows = np.concatenate([several.rows(step) for step in range(several.epoch_steps)])
    assert sorted(rows) == list(range(32))
    assert len(drawn) == 1


def test_a_teacher_gives_the_targets_and_is_no_part_of_what_is_trained_and_saved(
    tmp_path: Path,
) -> None:
    teacher = network().eval()
    before = bits(teacher)
    module = Trainee(network(), nn.MSELoss(), teacher)
    assert len(module.state_dict()) == len(network().state_dict())
    assert len(list(module.parameters())) == len(list(network().parameters()))
    train(module, tmp_path)
    assert bits(teacher) == before
    assert all(parameter.grad is None for parameter in teacher.parameters())
