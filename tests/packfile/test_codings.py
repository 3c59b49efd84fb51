"""Every coding is exact, and the one that is chosen is the smallest that is."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paenet.packfile.codings import CODINGS, FLOATS, Coding, Mask, Owned, smallest
from paenet.packfile.errors import PackFileError
from tests.packfile.files import streams_of
from tests.packfile.grids import GRIDS
from tests.packfile.strategies import DTYPES, Layer, layers, same_bits


def owned_of(found: list[Layer], slot: int = 1) -> list[Owned]:
    result = []
    for layer in found:
        mine = layer.owner == slot
        mask = Mask(mine.numpy().reshape(-1), mine.shape)
        result.append(Owned(layer.theta[mine], mask))
    return result


def encoded(coding: Coding, owned: list[Owned]) -> dict[str, list]:
    parts: dict[str, list] = {part: [] for part in coding.parts}
    for layer in owned:
        for part, arrays in coding.encode(layer).items():
            parts[part] += arrays
    return parts


def bytes_of(coding: Coding, owned: list[Owned]) -> int:
    return sum(array.nbytes for arrays in encoded(coding, owned).values() for array in arrays)


def decoded(coding: Coding, owned: list[Owned], dtype: torch.dtype) -> list[Tensor]:
    with streams_of(encoded(coding, owned)) as streams:
        return [coding.decode(streams, layer.mask, dtype) for layer in owned]


def possible(owned: list[Owned], dtype: torch.dtype) -> list[Coding]:
    return [
        coding
        for name, coding in CODINGS.items()
        if (name not in FLOATS or FLOATS[name].itemsize <= dtype.itemsize)
        and all(coding.size(layer) < math.inf for layer in owned)
    ]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(data=st.data())
@settings(max_examples=60)
def test_every_coding_that_is_possible_is_exact(dtype: torch.dtype, data: st.DataObject) -> None:
    owned = owned_of(data.draw(layers(dtype)))
    codings = possible(owned, dtype)
    assert codings
    for coding in codings:
        for layer, values in zip(owned, decoded(coding, owned, dtype), strict=True):
            assert same_bits(values, layer.values), coding.name


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(data=st.data())
@settings(max_examples=60)
def test_the_smallest_that_is_possible_is_chosen(dtype: torch.dtype, data: st.DataObject) -> None:
    owned = owned_of(data.draw(layers(dtype)))
    chosen = bytes_of(smallest(owned, dtype), owned)
    # Sizes are looked at before bits are filled up to bytes: one more for each layer at most.
    assert all(chosen <= bytes_of(c, owned) + len(owned) for c in possible(owned, dtype))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@given(data=st.data())
@settings(max_examples=60)
def test_a_coding_is_possible_where_it_changes_nothing(
    dtype: torch.dtype, data: st.DataObject
) -> None:
    for layer in owned_of(data.draw(layers(dtype, many=1))):
        for name, kind in FLOATS.items():
            exact = same_bits(layer.values.to(kind).to(dtype), layer.values)
            assert (CODINGS[name].size(layer) < math.inf) == exact
        signed = bool(((layer.values == 0) & layer.values.signbit()).any())
        few = len(layer.values.unique())
        for bits in range(1, 9):
            size = CODINGS[f"codebook{bits}"].size(layer)
            assert (size < math.inf) == (not signed and few <= 2**bits)


@pytest.mark.parametrize("name", GRIDS)
def test_a_grid_is_found_again(name: str) -> None:
    theta = GRIDS[name](torch.randn(50, 60))
    found = Layer(theta, torch.ones(theta.shape, dtype=torch.uint8))
    empty = Layer(torch.zeros(3, 4), torch.zeros(3, 4, dtype=torch.uint8))
    assert smallest(owned_of([found, empty, found]), torch.float32).name == name


def test_one_layer_off_the_grid_takes_the_others_with_it() -> None:
    grid = GRIDS["codebook4"](torch.randn(50, 60))
    ones = torch.ones(grid.shape, dtype=torch.uint8)
    found = owned_of([Layer(grid, ones), Layer(torch.randn(50, 60), ones)])
    assert smallest(found, torch.float32).name == "float32"


def test_a_rare_value_at_the_end_is_not_overlooked() -> None:
    theta = GRIDS["codebook1"](torch.randn(300, 300))
    theta[-1, -1] = 0.125
    found = owned_of([Layer(theta, torch.ones(theta.shape, dtype=torch.uint8))])
    assert smallest(found, torch.float32).name == "codebook2"


@pytest.mark.parametrize("name", CODINGS)
def test_no_coding_holds_what_is_no_number(name: str) -> None:
    for values in ([float("nan")], [1.0, float("nan"), 2.0]):
        mask = Mask(np.ones(len(values), np.bool_), (1, len(values)))
        assert CODINGS[name].size(Owned(torch.tensor(values), mask)) == math.inf


def test_an_index_beyond_the_shared_values_is_no_number() -> None:
    coding, mask = CODINGS["codebook2"], Mask(np.ones(4, np.bool_), (1, 4))
    table = torch.tensor([1.0, 2.0, 3.0])
    owned = [Owned(torch.tensor([1.0, 2.0, 3.0, 1.0]), mask)]
    parts = encoded(coding, owned)
    parts["values.0"][0] = parts["values.0"][0] | 0b11000000  # the fourth index becomes 3
    with streams_of(parts) as streams:
        values = coding.decode(streams, mask, torch.float32)
    assert torch.equal(values[:3], table)
    assert values[3].isnan()


def test_more_shared_values_than_the_codebook_may_have_are_refused() -> None:
    mask = Mask(np.ones(4, np.bool_), (1, 4))
    parts = encoded(CODINGS["codebook3"], [Owned(torch.arange(4.0) + 1, mask)])
    parts["tables"][0] = np.array([2**3], np.uint8)
    parts["tables"].append(np.zeros(5 * 4, np.uint8))
    with (
        pytest.raises(PackFileError, match="has 9 shared values, and codebook3 at most 8; make"),
        streams_of(parts) as streams,
    ):
        CODINGS["codebook3"].decode(streams, mask, torch.float32)


def test_a_whole_number_that_int8_has_and_the_coding_has_not_is_refused() -> None:
    mask = Mask(np.ones(2, np.bool_), (1, 2))
    parts = encoded(CODINGS["int8"], [Owned(torch.tensor([-127.0, 3.0]), mask)])
    parts["values.0"][0] = np.array([128, 3], np.uint8)
    with (
        pytest.raises(PackFileError, match=r"'values\.0' holds -128, and whole numbers are from"),
        streams_of(parts) as streams,
    ):
        CODINGS["int8"].decode(streams, mask, torch.float32)


@pytest.mark.parametrize("name", CODINGS)
def test_streams_that_end_early_are_refused(name: str) -> None:
    theta = GRIDS["codebook1"](torch.ones(8, 8)) * 0 + 1
    owned = owned_of([Layer(theta, torch.ones(theta.shape, dtype=torch.uint8))])
    coding = CODINGS[name]
    for cut in coding.parts:
        parts = encoded(coding, owned)
        parts[cut][-1] = parts[cut][-1][:-1]
        with pytest.raises(PackFileError, match="ends early"), streams_of(parts) as streams:
            coding.decode(streams, owned[0].mask, torch.float32)
