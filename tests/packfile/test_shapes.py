"""A file says what shapes its tensors have, and may not promise more than its size allows."""

import json

import pytest
import torch
from torch import Tensor

from paenet.packfile import PackFileError, shapes
from tests.packfile.files import frame, stream_of


def decoded(table: object, size: int = 1000, tasks: int = 0) -> dict[str, Tensor]:
    text = table if isinstance(table, str) else json.dumps(table)
    with stream_of(frame(text.encode()), "shapes") as stream:
        return shapes.decode(stream, size, tasks, picks=0)


def test_types_and_shapes_come_back() -> None:
    found = {
        "theta.0": torch.zeros(2, 3, dtype=torch.bfloat16),
        "private.1.count": torch.tensor(3),
        "head.1.ü": torch.zeros(0, dtype=torch.bool),
    }
    text = b"".join(part.tobytes() for part in shapes.encode(found)).decode()
    again = decoded(text)
    assert {n: (t.dtype, t.shape) for n, t in again.items()} == {
        n: (t.dtype, t.shape) for n, t in found.items()
    }
    assert all(tensor.is_meta for tensor in again.values())


BROKEN: dict[str, object] = {
    "a list": [],
    "no pair": {"theta.0": ["float32"]},
    "three": {"theta.0": ["float32", [1, 1], 0]},
    "unknown type": {"theta.0": ["float31", [1, 1]]},
    "complex": {"theta.0": ["complex64", [1, 1]]},
    "no type": {"theta.0": [None, [1, 1]]},
    "list of types": {"theta.0": [["float32"], [1, 1]]},
    "no shape": {"theta.0": ["float32", None]},
    "text": {"theta.0": ["float32", "11"]},
    "object": {"theta.0": ["float32", {}]},
    "null": {"theta.0": None},
    "negative": {"theta.0": ["float32", [-1, 1]]},
    "fraction": {"theta.0": ["float32", [1.0, 1]]},
    "truth": {"theta.0": ["float32", [True, 1]]},
    "absurd": {"theta.0": ["float32", [2**40, 1]]},
    "absurd beside nothing": {"theta.0": ["float32", [2**39, 0]]},
    "overflow": {"theta.0": ["float32", [2**33, 2**33]]},
    "overflow beside nothing": {"theta.0": ["float32", [2**33, 2**33, 0]]},
    "huge": {"theta.0": ["float32", [10**400, 1]]},
    "many axes": {"theta.0": ["float32", [1] * 17]},
    "twice": '{"a": ["float32", [1]], "a": ["float32", [1]]}',
    "not JSON": "{",
    "NaN": '{"a": ["float32", [NaN]]}',
    "deep": '{"a": ["float32", ' + "[" * 1000 + "]" * 1000 + "]}",
    "long": '{"a": ["float32", [1]]' + " " * 2**20 + "}",
}


@pytest.mark.parametrize("table", BROKEN.values(), ids=BROKEN)
def test_a_table_that_cannot_be_is_refused(table: object) -> None:
    with pytest.raises(PackFileError) as caught:
        decoded(table)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("name", "kind", "each"),
    [("head.1.a", "float32", 4), ("head.1.a", "int64", 8), ("theta.a", "float32", 5)],
)
def test_as_much_as_the_size_allows_is_promised_and_no_more(
    name: str, kind: str, each: int
) -> None:
    size = 1000
    most = shapes.LEAST + shapes.FACTOR * size
    assert most == shapes.most(size)
    assert set(decoded({name: [kind, [1, most // each]]}, size)) == {name}
    with pytest.raises(PackFileError, match=r"promises .* in a file of 1,000, which is refused"):
        decoded({name: [kind, [1, most // each + 1]]}, size)


def test_many_tensors_promise_together() -> None:
    table = {f"head.1.{i}": ["float32", [2**20]] for i in range(64)}
    assert len(decoded(table)) == 64
    with pytest.raises(PackFileError, match="which is refused"):
        decoded({**table, "head.2": ["float32", [2**20]]})


def test_every_task_takes_its_part_of_the_largest_layer() -> None:
    most = shapes.most(1000)
    weights = (most - 5 * 100) // (5 + 255)
    table = {"theta.a": ["float32", [10, 10]], "theta.b": ["float32", [1, weights]]}
    assert len(decoded(table, tasks=255)) == 2
    with pytest.raises(PackFileError, match="which is refused"):
        decoded({**table, "theta.b": ["float32", [1, weights + 1]]}, tasks=255)
