import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.backbones import BackboneError, channels
from paenet.backbones.width import Channels, count_of


@given(count=st.integers(1, 4096), factor=st.floats(1e-6, 8))
def test_a_layer_never_loses_its_last_channel(count: int, factor: float) -> None:
    assert channels(count, factor, "layer") >= 1


@given(count=st.integers(1, 4096), factors=st.lists(st.floats(0.01, 8), min_size=2, max_size=2))
def test_a_wider_layer_has_no_fewer_channels(count: int, factors: list[float]) -> None:
    narrow, wide = sorted(factors)
    assert channels(count, narrow, "layer") <= channels(count, wide, "layer")


def test_a_mapping_gives_each_layer_its_own_factor() -> None:
    width = {"conv1": 2.0, "*": 0.5}
    assert channels(10, width, "conv1") == 20
    assert channels(10, width, "conv2") == 5
    assert channels(10, {"conv1": 2.0}, "conv2") == 10


@pytest.mark.parametrize("factor", [0, -1.0, float("nan"), float("inf"), "2", True, None])
def test_a_factor_that_is_no_number_above_0_is_refused_by_its_layer(factor: object) -> None:
    with pytest.raises(BackboneError, match=r"^width: .* for layer 'conv1' is not a factor"):
        channels(10, {"conv1": factor}, "conv1")  # type: ignore[dict-item]


def test_a_width_for_a_layer_that_does_not_exist_is_refused_with_the_nearest() -> None:
    count = Channels({"conv1_3": 2.0})
    count("conv1_1", 64)
    count("conv1_2", 64)
    with pytest.raises(BackboneError, match=r"'conv1_3' is not a layer .*; did you mean 'conv1_"):
        count.finish()


@pytest.mark.parametrize("value", [0, -1, 1.5, "4", True, None])
def test_a_size_that_is_no_count_is_refused_by_its_argument(value: object) -> None:
    with pytest.raises(BackboneError, match=r"^features: "):
        count_of("features", value)


def test_a_block_gives_its_factor_to_every_layer_in_it_that_has_none_of_its_own() -> None:
    width = {"block": 2.0, "block.inner.last": 3.0, "*": 0.5}
    assert channels(10, width, "block.first") == 20
    assert channels(10, width, "block.inner.first") == 20
    assert channels(10, width, "block.inner.last") == 30
    assert channels(10, width, "blocks") == 5
    count = Channels(width)
    count("block.inner.last", 10)
    count.finish()
