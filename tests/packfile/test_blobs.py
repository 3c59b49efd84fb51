"""Norms, heads and channel maps come back from one stream, whatever their types."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from paenet.packfile import blobs
from paenet.packfile.errors import PackFileError
from tests.packfile.files import frame, stream_of, streams_of
from tests.packfile.strategies import any_finite, same_bits

KINDS = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8]
KINDS += [torch.bool, torch.int16]
SHAPES = [(), (0,), (1,), (5,), (2, 3), (4, 0)]


@st.composite
def tensors(draw: st.DrawFn) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    found: dict[str, Tensor] = {}
    halved = draw(st.booleans())
    for name in draw(st.sets(st.text(max_size=4), max_size=6)):
        kind, shape = draw(st.sampled_from(KINDS)), draw(st.sampled_from(SHAPES))
        if kind.is_floating_point:
            values = any_finite(shape, kind, random)
            if halved and kind == torch.float32:
                values = values.bfloat16()
                values = torch.where(values.isfinite(), values, 1).float()
        else:
            values = torch.randint(0, 2**15, shape, generator=random).to(kind)
        found[name] = values
    return found


@given(tensors())
def test_tensors_come_back_bit_for_bit(found: dict[str, Tensor]) -> None:
    like = {name: tensor.to("meta") for name, tensor in found.items()}
    coding = blobs.coding_of(found)
    with streams_of({"it": list(blobs.encode(found, coding))}) as streams:
        again = blobs.decode(like, coding, streams["it"])
    assert again.keys() == found.keys()
    for name, tensor in found.items():
        assert again[name].shape == tensor.shape
        assert same_bits(again[name], tensor)


def test_halves_are_taken_where_they_hold_every_value() -> None:
    exact = {"weight": torch.tensor([1.0, -0.5]), "count": torch.tensor(2**40)}
    assert blobs.coding_of(exact) == "bfloat16"
    assert blobs.coding_of({**exact, "bias": torch.tensor([0.1])}) == "float32"
    assert blobs.coding_of({"double": torch.tensor([0.1], dtype=torch.float64)}) == "bfloat16"


@given(st.lists(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9), max_size=4))
def test_maps_come_back(given_maps: list[list[int]]) -> None:
    found = {str(i): torch.tensor(m, dtype=torch.int64) for i, m in enumerate(given_maps)}
    with streams_of({"it": list(blobs.encode_maps(found))}) as streams:
        again = blobs.decode_maps(found, streams["it"])
    assert {name: m.tolist() for name, m in again.items()} == dict(
        zip(found, given_maps, strict=True)
    )


def test_maps_of_two_dimensions_come_back() -> None:
    found = {"inputs.0.a": torch.arange(6).view(2, 3), "outputs.0.a": torch.tensor([3, 1])}
    with streams_of({"it": list(blobs.encode_maps(found))}) as streams:
        again = blobs.decode_maps(found, streams["it"])
    assert all(torch.equal(again[name], found[name]) for name in found)


@pytest.mark.parametrize("size", [0, 7, 9])
def test_a_stream_of_another_length_is_refused(size: int) -> None:
    like = {"weight": torch.empty(2, device="meta")}
    with (
        stream_of(frame(bytes(size))) as stream,
        pytest.raises(PackFileError, match=r"ends early|too long"),
    ):
        blobs.decode(like, "float32", stream)
