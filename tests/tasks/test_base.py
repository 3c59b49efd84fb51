"""What all kinds of task promise."""

import json

import pytest
import torch
from torch import nn

from paenet.tasks import KINDS, Metric, Task, TaskError, create

FEATURES, ROWS = 16, 24
LAYERS = (nn.Identity, nn.Linear, nn.Dropout, nn.ReLU, nn.PReLU, nn.BatchNorm1d, nn.Sequential)

TASKS = {
    "hard": create("classification", "gender", classes=["female", "male"], dropout=0.1),
    "soft": create("classification", "mood", classes=["a", "b", "c"], class_weights="balanced"),
    "age": create("ordinal", "age"),
    "distil": create("identity", "who"),
    "softmax": create("identity", "who", objective="softmax"),
    "arcface": create("identity", "who", objective="arcface", embedding=8, margin=0.3),
}
COLUMNS = {
    "gender": ["female", "male"] * 12,
    "mood": ["a"] * ROWS,
    "mood:a": ["1", "0", "3"] * 8,
    "mood:b": ["0", "2", "3"] * 8,
    "mood:c": ["0", "5", "0"] * 8,
    "age": ["31", "(8, 12)", "22", "60+"] * 6,
    "identity": ["ann", "bob", "cid", "dee", "eve", "fay"] * 4,
}


@pytest.fixture(params=TASKS)
def task(request: pytest.FixtureRequest) -> Task:
    return TASKS[request.param]


def targets_of(task: Task) -> torch.Tensor:
    if task.label is None:
        return torch.randn(ROWS, FEATURES, generator=torch.Generator().manual_seed(2))
    return task.encode(COLUMNS)


def outputs_of(task: Task) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    return task.head(FEATURES)(torch.randn(ROWS, FEATURES, generator=generator))


def test_every_kind_is_tested() -> None:
    assert {task.kind for task in TASKS.values()} == set(KINDS)


def test_a_description_is_json_and_makes_an_equal_task(task: Task) -> None:
    description = json.loads(json.dumps(task.describe()))
    assert create(**description) == task
    assert hash(create(**description)) == hash(task)


def test_a_head_is_made_of_layers_that_a_pack_can_store(task: Task) -> None:
    assert all(isinstance(layer, LAYERS) for layer in task.head(FEATURES).modules())


def test_bfloat16_outputs_are_judged_in_float32_under_autocast(task: Task) -> None:
    targets = targets_of(task)
    criterion = task.criterion(FEATURES, targets)
    outputs = outputs_of(task).bfloat16()
    expected = criterion(outputs.float(), targets)
    with torch.autocast("cpu", torch.bfloat16):
        loss = criterion(outputs, targets)
    assert loss.dtype == torch.float32
    assert loss.shape == ()
    assert torch.equal(loss, expected)


def test_training_lowers_the_loss_with_finite_gradients(task: Task) -> None:
    targets = targets_of(task)
    criterion = task.criterion(FEATURES, targets)
    outputs = outputs_of(task).detach().requires_grad_()
    first = criterion(outputs, targets)
    first.backward()
    assert outputs.grad is not None
    assert outputs.grad.isfinite().all()
    assert outputs.grad.abs().sum() > 0
    with torch.no_grad():
        outputs -= 0.01 * outputs.grad / outputs.grad.norm()
    assert criterion(outputs, targets) < first


def test_a_criterion_does_not_depend_on_what_ran_before(task: Task) -> None:
    targets, outputs = targets_of(task), outputs_of(task)
    before = torch.random.get_rng_state()
    first = task.criterion(FEATURES, targets)(outputs, targets)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.randn(7)
    assert torch.equal(task.criterion(FEATURES, targets)(outputs, targets), first)


def test_the_goal_metric_is_measured_and_lies_in_its_interval(task: Task) -> None:
    measured = task.measure(outputs_of(task), targets_of(task))
    assert measured == task.measure(outputs_of(task).clone(), targets_of(task))
    assert measured[task.metric].higher_is_better
    for metric in measured.values():
        assert isinstance(metric, Metric)
        assert metric.low <= metric.value <= metric.high
        assert metric.count > 0


def test_outputs_that_are_not_finite_are_refused(task: Task) -> None:
    outputs = outputs_of(task).detach().clone()
    outputs[3, 0] = float("nan")
    with pytest.raises(TaskError, match="1 of 24 outputs are not finite"):
        task.measure(outputs, targets_of(task))


def test_an_empty_split_is_refused(task: Task) -> None:
    with pytest.raises(TaskError, match="no examples"):
        task.measure(outputs_of(task)[:0], targets_of(task)[:0])


def test_outputs_and_targets_of_different_lengths_are_refused(task: Task) -> None:
    with pytest.raises(TaskError, match=r"24 outputs .* 23 targets"):
        task.measure(outputs_of(task), targets_of(task)[:-1])


def test_a_missing_column_is_named_and_the_nearest_offered() -> None:
    with pytest.raises(TaskError, match=r"'gender'; did you mean 'genders'\?"):
        TASKS["hard"].encode({"genders": ["male"]})
