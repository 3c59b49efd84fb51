"""The three networks: their shapes, and that the shipped weights are the published ones."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from paenet.faces.networks import WEIGHTS, load_networks


def test_the_networks_have_mtcnns_shapes() -> None:
    networks = load_networks()
    chance, shift = networks.pnet(torch.zeros(2, 3, 12, 12))
    assert (chance.shape, shift.shape) == ((2, 1, 1), (2, 4, 1, 1))
    chance, shift = networks.pnet(torch.zeros(1, 3, 31, 50))
    assert (chance.shape, shift.shape) == ((1, 11, 20), (1, 4, 11, 20))
    chance, shift = networks.rnet(torch.zeros(3, 3, 24, 24))
    assert (chance.shape, shift.shape) == ((3,), (3, 4))
    chance, shift, points = networks.onet(torch.zeros(3, 3, 48, 48))
    assert (chance.shape, shift.shape, points.shape) == ((3,), (3, 4), (3, 5, 2))


def test_the_networks_learn_nothing() -> None:
    networks = load_networks()
    assert not networks.training
    assert not any(parameter.requires_grad for parameter in networks.parameters())


def test_the_attribution_names_source_licence_and_the_very_file() -> None:
    text = (WEIGHTS.parent / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert "timesler/facenet-pytorch" in text
    assert "MIT License" in text
    assert hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() in text


@pytest.mark.real
def test_the_shipped_weights_are_the_source_file(real_data: Path) -> None:
    shipped, source = load_file(WEIGHTS), load_file(real_data / "weights" / "mtcnn.safetensors")
    assert shipped.keys() == source.keys()
    for name, tensor in source.items():
        assert torch.equal(shipped[name], tensor), name
