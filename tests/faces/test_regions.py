"""Windows cut out together are those that torch resamples one by one."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from paenet.datasets.decoding import MAX_PIXELS
from paenet.faces import regions
from paenet.faces.regions import SummedImages


@given(
    seed=st.integers(0, 2**16),
    sizes=st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=4),
    size=st.integers(1, 30),
)
def test_windows_are_means_of_areas(seed: int, sizes: list[tuple[int, int]], size: int) -> None:
    random = torch.Generator().manual_seed(seed)
    images = [
        torch.randint(0, 256, (*shape, 3), generator=random, dtype=torch.uint8) for shape in sizes
    ]
    areas, owners = [], []
    for index, (height, width) in enumerate(sizes):
        for _ in range(3):
            x = sorted(torch.randperm(width + 1, generator=random)[:2].tolist())
            y = sorted(torch.randperm(height + 1, generator=random)[:2].tolist())
            areas.append([x[0], y[0], x[1], y[1]])
            owners.append(index)
    windows = SummedImages(images).windows(torch.tensor(areas), torch.tensor(owners), size)
    for window, (x1, y1, x2, y2), owner in zip(windows, areas, owners, strict=True):
        area = images[owner][y1:y2, x1:x2].permute(2, 0, 1)[None].float()
        plain = interpolate(area, (size, size), mode="area")[0]
        torch.testing.assert_close(window, plain, rtol=1e-6, atol=1e-4)


def test_windows_of_a_large_image_are_right_though_its_sums_run_over() -> None:
    image = torch.full((4200, 4200, 3), 255, dtype=torch.uint8)  # sums to more than 2**32
    image[-100:, -100:] = torch.tensor([1, 2, 3], dtype=torch.uint8)
    areas = torch.tensor([[0, 0, 4100, 4100], [4100, 4100, 4200, 4200], [4099, 4100, 4101, 4200]])
    sums = SummedImages([image])
    windows = sums.windows(areas, torch.zeros(3, dtype=torch.long), 2)
    assert windows[0].unique().tolist() == [255.0]
    assert windows[1].flatten(1).unique(dim=1).flatten().tolist() == [1.0, 2.0, 3.0]
    assert windows[2, :, 0].tolist() == [[255.0, color] for color in (1.0, 2.0, 3.0)]


def test_a_large_image_takes_four_bytes_for_each_colour() -> None:
    image = torch.zeros(3000, 3000, 3, dtype=torch.uint8)
    assert SummedImages([image])._sums.nbytes == 4 * 3 * 3001 * 3001


@pytest.mark.parametrize(
    "shape", [(10_488, 10_488), (20, 5_500_000), (5_500_000, 20), (1, 110_000_000)]
)
def test_no_bin_of_the_largest_photograph_runs_over(shape: tuple[int, int]) -> None:
    assert math.prod(shape) >= MAX_PIXELS * 0.9999
    longest = []
    for side in shape:
        begin, end = regions._bins(torch.tensor([0]), torch.tensor([side]), 24)
        longest.append(int((end - begin).max()))
    assert 255 * math.prod(longest) < 2**31
