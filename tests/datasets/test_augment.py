"""Augmentation varies what it should, by the generator alone, and nothing where it is off."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paenet.datasets import Augment, DataError, augment

STILL = Augment(flip=0, zoom=(1, 1), shift=0, rotate=0, brightness=0, contrast=0, grey=0, erase=0)


def some(count: int = 3, height: int = 16, width: int = 16) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, height, width), generator=draw, dtype=torch.uint8)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(**settings: object) -> Augment:
    return Augment(**{**vars(STILL), **settings})


def test_switched_off_it_leaves_images_as_they_are() -> None:
    assert torch.equal(augment(some(), STILL, seeded()), some().float())


def test_the_same_generator_state_gives_the_same_images() -> None:
    settings = Augment(erase=0.5)
    first = augment(some(), settings, seeded(3))
    assert torch.equal(augment(some(), settings, seeded(3)), first)
    assert not torch.equal(augment(some(), settings, seeded(4)), first)


def test_no_random_number_comes_from_elsewhere() -> None:
    state = torch.random.get_rng_state()
    augment(some(), Augment(erase=0.5), seeded())
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_sure_flip_mirrors_every_image() -> None:
    flipped = augment(some(), only(flip=1), seeded())
    torch.testing.assert_close(flipped, some().float().flip(3), atol=1e-3, rtol=0)


def test_zooming_in_by_two_shows_the_middle() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, 4:12, 4:12] = 200
    assert (augment(image, only(zoom=(2, 2)), seeded()) > 99).all()


def test_a_turn_keeps_the_middle_and_its_shape_in_a_long_image() -> None:
    image = torch.zeros(1, 3, 9, 27)
    image[:, :, 4, 12:15] = 255  # a bar of three pixels, which stands up after a quarter turn
    turned = torch.stack(
        [augment(image, only(rotate=90), seeded(seed))[0, 0] for seed in range(40)]
    )
    assert turned[:, 4, 13].min() > 250
    assert (turned.sum(dim=(1, 2)) - 3 * 255).abs().max() < 200


def test_grey_has_three_equal_channels() -> None:
    grey = augment(some(), only(grey=1), seeded())
    assert torch.equal(grey[:, 0], grey[:, 1])
    assert torch.equal(grey[:, 0], grey[:, 2])


def test_an_erased_image_keeps_the_rest() -> None:
    erased = augment(some(8), only(erase=1), seeded())
    changed = (erased != some(8).float()).any(dim=1)
    share = changed.float().mean(dim=(1, 2))
    assert (share > 0.02).all()
    assert (share < 0.35).all()
    assert (erased.permute(0, 2, 3, 1)[changed] == 127.5).all()


@given(
    st.builds(
        Augment,
        flip=st.floats(0, 1),
        shift=st.floats(0, 1),
        rotate=st.floats(0, 180),
        brightness=st.floats(0, 1),
        contrast=st.floats(0, 1),
        grey=st.floats(0, 1),
        erase=st.floats(0, 1),
    ),
    st.integers(0, 100),
)
def test_pixels_stay_finite_and_between_0_and_255(settings: Augment, seed: int) -> None:
    varied = augment(some(2, 6, 8), settings, seeded(seed))
    assert varied.shape == (2, 3, 6, 8)
    assert varied.isfinite().all()
    assert varied.min() >= -1e-3
    assert varied.max() <= 255 + 1e-3


def test_turning_one_thing_off_leaves_the_others_as_they_were() -> None:
    both = augment(some(), only(flip=0.5, brightness=0.3), seeded())
    flips = augment(some(), only(flip=0.5), seeded())
    ratio = (both / flips.clamp(min=1))[flips > 1].view(-1)
    assert ratio.unique().numel() > 1  # brightness did something, to the same flipped images
    assert (((both > 0) | (flips <= 1)).float().mean()) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"flip": 1.5}, "augment.flip: 1.5 is out of range; give 0 to 1"),
        ({"rotate": -1.0}, "augment.rotate: -1.0 is out of range; give 0 to 180"),
        ({"grey": float("nan")}, "augment.grey: nan is out of range"),
        ({"zoom": (1.2, 0.8)}, r"augment.zoom: \[1.2, 0.8\] is no range"),
        ({"zoom": (0.0, 1.0)}, "augment.zoom"),
    ],
)
def test_a_value_out_of_range_is_named(settings: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Augment(**settings)
