"""Byte planes and bits give back what they were made of, bit for bit."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paenet.packfile import planes
from tests.packfile.strategies import DTYPES, any_finite, same_bits


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(count=st.integers(0, 99), seed=st.integers(0, 2**32))
def test_planes_join_to_the_same_bits(dtype: torch.dtype, count: int, seed: int) -> None:
    values = any_finite((count,), dtype, torch.Generator().manual_seed(seed))
    split = planes.split(values)
    assert [plane.shape for plane in split] == [(count,)] * dtype.itemsize
    assert same_bits(planes.join(split, dtype), values)


def test_the_lowest_plane_comes_first_and_the_sign_is_turned_to_the_lowest_bit() -> None:
    bits = torch.tensor([0x12345678, -0x80000000], dtype=torch.int32)
    split = [plane.tolist() for plane in planes.split(bits.view(torch.float32))]
    assert split == [[0xF0, 0x01], [0xAC, 0x00], [0x68, 0x00], [0x24, 0x00]]


@given(st.lists(st.booleans(), max_size=99))
def test_bits_come_back(bits: list[bool]) -> None:
    packed = planes.pack_bits(np.array(bits, np.bool_))
    assert len(packed) == -(-len(bits) // 8)
    assert planes.unpack_bits(packed, len(bits)).tolist() == bits


def test_the_first_bit_is_the_highest() -> None:
    assert planes.pack_bits(np.array([1, 0, 0, 0, 0, 0, 0, 1, 1], np.bool_)).tolist() == [129, 128]
