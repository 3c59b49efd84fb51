"""A head is data: described, built again, and computing the same."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from paenet import tasks
from paenet.packfile import PackFileError, heads

LAYERS = {
    "identity": nn.Identity(),
    "linear": nn.Linear(4, 3),
    "linear-no-bias": nn.Linear(4, 3, bias=False),
    "dropout": nn.Dropout(0),
    "relu": nn.ReLU(inplace=True),
    "prelu": nn.PReLU(4),
    "norm": nn.BatchNorm1d(4, eps=1e-3, momentum=0.5),
    "norm-plain": nn.BatchNorm1d(4, affine=False, track_running_stats=False),
    "flatten": nn.Flatten(0, -1),
    "empty": nn.Sequential(),
    "nested": nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.PReLU()), nn.Dropout(0.3)),
}

HEADS = st.recursive(
    st.sampled_from([lambda: nn.Linear(4, 4), nn.PReLU, lambda: nn.BatchNorm1d(4), nn.ReLU]).map(
        lambda make: make()
    ),
    lambda inner: st.lists(inner, max_size=3).map(lambda layers: nn.Sequential(*layers)),
    max_leaves=6,
)


def again(head: nn.Module) -> nn.Module:
    description = json.loads(json.dumps(heads.describe(head)))
    built = heads.build(description)
    built.load_state_dict(head.state_dict(), assign=True)
    return built


def check_same(head: nn.Module) -> None:
    built, x = again(head), torch.randn(2, 4)
    head.eval()
    assert heads.describe(built) == heads.describe(head)
    assert built.state_dict().keys() == head.state_dict().keys()
    assert torch.equal(built(x.clone()), head(x.clone()))


@pytest.mark.parametrize("head", LAYERS.values(), ids=LAYERS)
def test_a_head_of_known_layers_comes_back(head: nn.Module) -> None:
    check_same(head)


@given(HEADS)
@settings(max_examples=30)
def test_any_nesting_of_known_layers_comes_back(head: nn.Module) -> None:
    check_same(head)


def test_names_within_a_head_come_back() -> None:
    head = nn.Sequential()
    head.add_module("hidden", nn.Linear(4, 4))
    head.add_module("out", head.hidden)  # one layer at two places
    check_same(head)


@pytest.mark.parametrize(
    "task",
    [
        tasks.create("classification", "gender", classes=["female", "male"], dropout=0.2),
        tasks.create("ordinal", "age"),
        tasks.create("identity", "who"),
        tasks.create("identity", "who", objective="softmax", embedding=3),
    ],
    ids=["classification", "ordinal", "distilled", "embedding"],
)
def test_the_head_of_every_task_can_be_described(task: tasks.Task) -> None:
    check_same(task.head(4))


def nested(depth: int) -> nn.Module:
    head: nn.Module = nn.ReLU()
    for _ in range(depth):
        head = nn.Sequential(head)
    return head


def test_the_deepest_head_that_can_be_described_can_be_built() -> None:
    check_same(nested(15))
    assert heads.describe(nested(16)) is None


class Louder(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * super().forward(x)


def without_bias(norm: nn.BatchNorm1d) -> nn.Module:
    norm.register_parameter("bias", None)  # as BatchNorm1d(bias=False), where torch has it
    return norm


def with_buffer(head: nn.Module) -> nn.Module:
    head.register_buffer("temperature", torch.tensor(2.0))
    return head


def with_parameter(head: nn.Module) -> nn.Module:
    head.register_parameter("scale", nn.Parameter(torch.ones(4)))
    return head


def cut(head: nn.Linear) -> nn.Module:
    head.weight = nn.Parameter(head.weight[:2].detach())
    return head


def patched(head: nn.Module) -> nn.Module:
    head.forward = lambda x: 2 * x
    return head


@pytest.mark.parametrize(
    "head",
    [
        with_buffer(nn.Linear(4, 4)),
        nn.Sequential(with_parameter(nn.ReLU())),
        cut(nn.Linear(4, 4, bias=False)),
        nn.Sequential(patched(nn.Identity())),
        nn.Conv2d(1, 1, 1),
        Louder(4, 4),
        nn.Sequential(nn.ReLU(), Louder(4, 4)),
        nn.BatchNorm1d(4, momentum=None),
        without_bias(nn.BatchNorm1d(4)),
        torch.nn.utils.parametrizations.weight_norm(nn.Linear(4, 4)),
    ],
    ids=[
        "buffer",
        "parameter",
        "shape",
        "forward",
        "unknown",
        "subclass",
        "nested",
        "setting",
        "no-bias",
        "parametrised",
    ],
)
def test_a_head_with_anything_else_is_not_described(head: nn.Module) -> None:
    assert heads.describe(head) is None


def _deep(depth: int) -> dict[str, object]:
    inner: dict[str, object] = {"type": "ReLU", "inplace": False}
    for _ in range(depth):
        inner = {"type": "Sequential", "children": [["0", inner]]}
    return inner


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "layer type None"),
        ({"type": "Lineer"}, "did you mean 'Linear'"),
        ({"type": "Module"}, "is not known"),
        ({"type": ["Linear"]}, "is not known"),
        ({"type": "Linear", "in_features": 2}, "takes in_features"),
        ({"type": "Linear", "in_features": 2, "out_features": 2.0, "bias": True}, "takes in_f"),
        ({"type": "Linear", "in_features": -2, "out_features": 2, "bias": True}, "is made of"),
        ({"type": "Linear", "in_features": 2**62, "out_features": 9, "bias": True}, "is made of"),
        ({"type": "Linear", "in_features": 2**99, "out_features": 2, "bias": True}, "is made of"),
        ({"type": "Dropout", "p": 2.0, "inplace": False}, "is made of"),
        ({"type": "Identity", "device": "cuda"}, "takes nothing"),
        ({"type": "Sequential"}, "no pair of name and layer"),
        ({"type": "Sequential", "children": {"0": {}}}, "no pair of name and layer"),
        ({"type": "Sequential", "children": [["0"]]}, "no pair of name and layer"),
        ({"type": "Sequential", "children": [["a.b", {"type": "Identity"}]]}, "name 'a.b'"),
        ({"type": "Sequential", "children": [["forward", {"type": "Identity"}]]}, "name 'forw"),
        ({"type": "Sequential", "children": [["0", 5]]}, "describes no layer"),
        (_deep(500), "describes no layer"),
    ],
)
def test_a_description_that_no_head_has_is_refused(
    description: dict[str, object], message: str
) -> None:
    with pytest.raises(PackFileError, match=message) as caught:
        heads.build(description)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
