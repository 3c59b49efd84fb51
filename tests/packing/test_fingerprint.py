"""A fingerprint depends on what a network computes with, and on nothing else."""

import hashlib
import struct

import pytest
import torch
from torch import nn

from paenet.packing import fingerprint_of


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU())


def test_the_bytes_that_are_hashed_are_these() -> None:
    # Golden: a stranger can compute a fingerprint from this, and no release may change it.
    network = nn.Linear(2, 1)
    network.weight.data = torch.tensor([[1.0, -2.0]])
    network.bias.data = torch.tensor([0.5])
    expected = hashlib.sha256(
        b"paenet-fingerprint-1"
        b"\nbias torch.float32 [1]\n" + struct.pack("<f", 0.5) + b"\nweight torch.float32 [1, 2]\n"
        + struct.pack("<2f", 1.0, -2.0)
    )  # fmt: skip
    assert fingerprint_of(network) == expected.hexdigest()


def test_memory_format_mode_and_order_do_not_matter() -> None:
    network = small()
    other = small().to(memory_format=torch.channels_last).eval().requires_grad_(False)
    assert not other[0].weight.is_contiguous()
    assert fingerprint_of(other) == fingerprint_of(network)
    transposed = small()
    transposed[0].weight.data = (
        transposed[0].weight.data.transpose(0, 3).contiguous().transpose(0, 3)
    )
    assert not transposed[0].weight.is_contiguous()
    assert fingerprint_of(transposed) == fingerprint_of(network)


@pytest.mark.parametrize("key", list(small().state_dict()))
def test_every_single_value_matters(key: str) -> None:
    network, other = small(), small()
    value = other.state_dict()[key].reshape(-1)
    value[-1] += 1
    assert fingerprint_of(other) != fingerprint_of(network)


def test_names_types_and_shapes_matter() -> None:
    network = nn.Linear(2, 2)
    seen = {fingerprint_of(network), fingerprint_of(nn.Sequential(network))}
    double = nn.Linear(2, 2).double()
    double.load_state_dict(network.state_dict())
    seen.add(fingerprint_of(double))
    flat = nn.Linear(4, 1)
    flat.weight.data, flat.bias = network.weight.data.reshape(1, 4), network.bias
    seen.add(fingerprint_of(flat))
    assert len(seen) == 4


def test_types_that_numpy_does_not_know_are_hashed_too() -> None:
    assert len({fingerprint_of(nn.Linear(2, 2).to(torch.bfloat16)) for _ in range(2)}) == 2
