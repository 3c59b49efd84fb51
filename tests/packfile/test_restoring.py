"""Every tensor of a file is held against the network that it belongs to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paenet.packfile import PackFileError, read
from paenet.packing import Pack
from tests.packfile.files import changed, grown, saved
from tests.packing.networks import batch_norm, head, images, outputs

Tensors = dict[str, Tensor]


def dropped(name: str) -> Callable[[Tensors], None]:
    def change(tensors: Tensors) -> None:
        del tensors[name]

    return change


def replaced(name: str, make: Callable[[Tensor], Tensor]) -> Callable[[Tensors], None]:
    return lambda tensors: tensors.update({name: make(tensors[name])})


def first_is(value: int) -> Callable[[Tensor], Tensor]:
    def change(tensor: Tensor) -> Tensor:
        tensor = tensor.clone()
        tensor.view(-1)[0] = value
        return tensor

    return change


BROKEN: dict[str, tuple[Callable[[Tensors], None], str]] = {
    "no-theta": (dropped("theta.0"), r"'theta\.0' is missing"),
    "no-norm-of-base": (dropped("private.1.1.weight"), r"'private\.1\.1\.weight' is missing"),
    "no-norm-of-wider": (dropped("private.3.1.weight"), r"'private\.3\.1\.weight' is missing"),
    "no-head": (dropped("head.1.weight"), r"'head\.1\.weight' is missing"),
    "no-outputs": (dropped("outputs.0.1"), r"'outputs\.0\.1' is missing"),
    "no-inputs": (dropped("inputs.1.3"), r"'inputs\.1\.3' is missing"),
    "stranger": (lambda t: t.update({"extra": torch.ones(1)}), "unknown tensor 'extra'"),
    "strange-layer": (
        lambda t: t.update({"private.1.9.weight": torch.ones(1)}),
        r"'private\.1\.9\.weight' belongs to nothing",
    ),
    "strange-slot": (
        lambda t: t.update({"head.9.weight": torch.ones(1)}),
        r"'head\.9\.weight' \(float32 \[1\]\) belongs to nothing",
    ),
    "strange-width": (
        lambda t: t.update({"outputs.2.0": torch.ones(1).long()}),
        r"'outputs\.2\.0' belongs to nothing",
    ),
    "norm-of-other-shape": (
        replaced("private.1.1.weight", lambda t: t[:-1]),
        r"'private\.1\.1\.weight' is float32 \[5\], and the network has float32 \[6\]",
    ),
    "norm-of-integers": (
        replaced("private.1.1.weight", Tensor.long),
        r"is int64 \[6\], and the network has float32 \[6\]",
    ),
    "count-of-floats": (
        replaced("private.1.1.num_batches_tracked", Tensor.float),
        r"is float32 \[\], and the network has int64 \[\]",
    ),
    "head-of-other-shape": (
        replaced("head.1.weight", lambda t: t[:1]),
        r"'head\.1\.weight' is float32 \[1, 6\]",
    ),
    "map-too-short": (replaced("outputs.0.0", lambda t: t[1:]), r"'outputs\.0\.0' is .* \[5\]"),
    "map-of-smaller-integers": (
        replaced("outputs.0.0", Tensor.int),
        r"'outputs\.0\.0' \(int32 \[6\]\) belongs to nothing",
    ),
    "map-out-of-range": (
        replaced("outputs.0.0", first_is(12)),
        r"leads to channels from 1 to 12; the widest network has 0 to 11",
    ),
    "map-negative": (replaced("inputs.0.3", first_is(-1)), "leads to channels from -1"),
    "map-twice": (replaced("outputs.0.0", first_is(1)), "leads two channels to the same one"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_tensor_that_does_not_belong_is_named(
    change: Callable[[Tensors], None], message: str, tmp_path: Path
) -> None:
    def both(document: dict[str, Any], tensors: Tensors) -> None:
        change(tensors)

    path = changed(saved(grown()[0], tmp_path), both)
    with pytest.raises(PackFileError, match=message) as caught:
        read(path, backbone=batch_norm)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_was_changed_by_nothing_is_read(tmp_path: Path) -> None:
    pack, promise = grown()
    path = changed(saved(pack, tmp_path), lambda document, tensors: None)
    promise.check(read(path, backbone=batch_norm).pack)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
def test_a_pack_of_another_precision_than_its_builder_s_learns_on(
    dtype: torch.dtype, tmp_path: Path
) -> None:
    before = Pack(batch_norm(1.0).to(dtype), example=images(1))
    before.learn("base", head=head().to(dtype)).freeze()
    pack = read(saved(before, tmp_path), backbone=batch_norm).pack
    assert pack.fingerprint("base") == before.fingerprint("base")
    learner = pack.learn("age", head=head().to(dtype), sees="none")
    for change in (lambda: None, lambda: learner.widen(1.5)):
        change()
        assert {tensor.dtype for tensor in learner.parameters()} == {dtype}
        learned = outputs(learner)
    learner.freeze()
    assert torch.equal(outputs(pack.materialize("age")), learned)
