"""A training's state on disk: every bit comes back, and nothing is lost when it cannot be kept."""

import errno
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from paenet.training.errors import RunError
from paenet.training.examples.data import place
from paenet.training.loop.state import (
    halved,
    load_state,
    read_about,
    round_to_halves,
    save_state,
)


def network() -> nn.Module:
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    place(layers, torch.device("cpu"))
    return layers


def optimiser(module: nn.Module) -> torch.optim.Optimizer:
    parameters = list(module.parameters())
    groups = [{"params": parameters[::2]}, {"params": parameters[1::2]}]
    return torch.optim.AdamW(groups, lr=0.1, weight_decay=0.1)


def step(module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    images = torch.randn(4, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    module(images.contiguous(memory_format=torch.channels_last)).square().sum().backward()
    optimizer.step()
    optimizer.zero_grad()


def bits(tensors: dict[str, Tensor]) -> dict[str, tuple[bytes, tuple[int, ...]]]:
    return {name: (t.numpy().tobytes(), t.stride()) for name, t in tensors.items()}


def test_a_training_goes_on_from_its_file_with_the_same_bits_and_strides(tmp_path: Path) -> None:
    one, other = network(), network()
    first, second = optimiser(one), optimiser(other)
    for _ in range(3):
        step(one, first)
    save_state(tmp_path / "s", one, first, {"steps": 3})
    load_state(tmp_path / "s", other, second)
    for _ in range(3):
        step(one, first)
        step(other, second)
    assert bits(one.state_dict()) == bits(other.state_dict())
    for a, b in zip(first.state.values(), second.state.values(), strict=True):
        assert bits(a) == bits(b)


def test_what_16_bits_hold_is_kept_in_them_and_comes_back_bit_for_bit() -> None:
    nan = torch.tensor([0x7FC00001], dtype=torch.int32).view(torch.float32)
    precise = {
        "values": torch.randn(3, 4, 2, 2)
        .half()
        .float()
        .contiguous(memory_format=torch.channels_last),
        "extremes": torch.tensor([65504.0, 2.0**-24, -0.0, float("inf")]),
        "none": torch.zeros(0),
    }
    wide = {"large": torch.tensor([65536.0, 1.0]), "small": torch.tensor([2.0**-100])}
    other = {
        "finer": torch.tensor([1.0, 1.0 + 2.0**-11]),
        "nan": nan,
        "count": torch.tensor(3),
    }
    kept = halved({**precise, **wide, **other})
    types = {name: tensor.dtype for name, tensor in kept.items()}
    assert {name for name in types if types[name] == torch.float16} == set(precise)
    assert {name for name in types if types[name] == torch.bfloat16} == set(wide)
    exact = {**precise, **wide}
    assert bits({name: kept[name].float() for name in exact}) == bits(exact)
    assert bits({name: kept[name] for name in other}) == bits(other)


def test_rounding_to_16_bits_leaves_what_they_hold_as_it_is() -> None:
    given = nn.Linear(3, 3)
    with torch.no_grad():
        given.weight.copy_(given.weight.half())
    weight, bias = given.weight.detach().clone(), given.bias.detach().clone()
    round_to_halves(given.state_dict())
    assert torch.equal(given.weight, weight)
    assert torch.equal(given.bias, bias.bfloat16().float())
    assert not torch.equal(given.bias, bias)
    assert all(tensor.element_size() == 2 for tensor in halved(given.state_dict()).values())


def test_what_a_state_is_about_is_read_without_its_tensors(tmp_path: Path) -> None:
    save_state(tmp_path / "s", network(), None, {"key": "a/train", "steps": 3})
    assert read_about(tmp_path / "s") == {"key": "a/train", "steps": 3}
    assert read_about(tmp_path / "absent") is None
    (tmp_path / "s").write_bytes(b"something else")
    assert read_about(tmp_path / "s") is None


def test_a_state_that_is_damaged_or_of_another_network_is_named(tmp_path: Path) -> None:
    path = tmp_path / "s"
    save_state(path, nn.Linear(3, 3), None, {})
    with pytest.raises(RunError, match=rf"{path}: cannot go on from it .*; remove the file"):
        load_state(path, network())
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=f"{path}: cannot go on from it"):
        load_state(path, nn.Linear(3, 3))
    with pytest.raises(RunError, match="No such file"):
        load_state(tmp_path / "absent", nn.Linear(3, 3))


def test_a_full_disk_leaves_the_state_before_and_is_said_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s"
    save_state(path, nn.Linear(3, 3), None, {"steps": 1})
    before = path.read_bytes()

    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[:40])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(RunError, match=rf"^{path}: cannot be written \(No space left on device\);"):
        save_state(path, nn.Linear(3, 3), None, {"steps": 2})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
