"""Owners and values come back from a task's streams, given those of the tasks before it."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paenet.packfile import weights
from paenet.packfile.codings import CODINGS
from paenet.packfile.errors import PackFileError
from paenet.packing import PackedLayer
from paenet.packing.values import snap
from tests.packfile.files import frame, stream_of, streams_of
from tests.packfile.strategies import DTYPES, Layer, layers, same_bits

SLOTS = st.permutations([1, 2, 3])


def restored(
    like: list[Layer], found: dict[int, weights.Encoded], slots: list[int]
) -> list[tuple[Tensor, Tensor]]:
    """The weights and owners of every layer, from streams alone."""
    parts = {(slot, name): arrays for slot in slots for name, arrays in found[slot].streams.items()}
    result = []
    with streams_of(parts) as streams:
        for layer in like:
            theta, owner = torch.zeros_like(layer.theta), torch.zeros_like(layer.owner)
            owners = weights.Owners(owner.shape)
            for slot in slots:
                mask = owners.take(streams[slot, weights.OWNERS])
                weights.scatter(owner, mask, torch.full((mask.count,), slot, dtype=owner.dtype))
                own = {name: stream for (at, name), stream in streams.items() if at == slot}
                values = CODINGS[found[slot].coding].decode(own, mask, theta.dtype)
                weights.scatter(theta, mask, values)
            result.append((theta, owner))
    return result


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(data=st.data(), slots=SLOTS)
@settings(max_examples=40)
def test_what_is_owned_comes_back_bit_for_bit(
    dtype: torch.dtype, data: st.DataObject, slots: list[int]
) -> None:
    like = data.draw(layers(dtype))
    sees = {slot: slots[:i] for i, slot in enumerate(slots)}
    found = weights.encode([PackedLayer(layer.theta, layer.owner) for layer in like], sees)
    for layer, (theta, owner) in zip(like, restored(like, found, slots), strict=True):
        assert torch.equal(owner, layer.owner)
        assert same_bits(theta, layer.theta)


def test_a_plane_has_a_bit_for_each_weight_that_no_earlier_task_owns() -> None:
    owner = torch.tensor([[2, 1, 1, 0, 2], [0, 0, 1, 2, 0]], dtype=torch.uint8)
    found = weights.encode([PackedLayer(torch.zeros(2, 5), owner)], {2: [], 1: []})
    planes = {slot: found[slot].streams[weights.OWNERS][0].tolist() for slot in (1, 2)}
    assert planes == {2: [0b10001000, 0b10000000], 1: [0b11000100]}


def test_a_plane_that_is_not_filled_with_zeros_is_refused() -> None:
    for octets in ([0, 0b00000001], [0, 0b00100000]):
        with (
            stream_of(frame(bytes(octets))) as stream,
            pytest.raises(PackFileError, match="is not filled with zeros"),
        ):
            weights.Owners((2, 5)).take(stream)


def test_owners_take_no_more_than_their_entropy_says() -> None:
    owner = torch.from_numpy(np.random.default_rng(0).integers(1, 4, (200, 300), np.uint8))
    layer = PackedLayer(torch.zeros(200, 300), owner)
    found = weights.encode([layer], {1: [], 2: [], 3: []})
    for slot, bound in zip((1, 2, 3), weights.entropy([layer], [1, 2, 3]), strict=True):
        plane = frame(found[slot].streams[weights.OWNERS][0].tobytes())
        assert bound <= len(plane) <= 1.1 * bound + 20


def test_a_task_on_steps_of_what_it_sees_is_written_as_int8() -> None:
    theta, owner = torch.randn(8, 50), torch.randint(1, 3, (8, 50), dtype=torch.uint8)
    theta[owner == 2] /= 100
    mine = owner == 2
    theta[mine] = snap("int8", theta, mine, None, torch.where(mine, 0.0, theta))[mine]
    layer = PackedLayer(theta, owner)
    assert weights.encode([layer], {1: [], 2: [1]})[2].coding == "int8"
    (restored_theta, _), *_ = restored([layer], weights.encode([layer], {1: [], 2: [1]}), [1, 2])
    assert same_bits(restored_theta, theta)
