"""Windows cut out together are those that torch resamples one by one."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

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


def test_sums_of_a_large_image_do_not_overflow() -> None:
    image = torch.full((3000, 3000, 3), 255, dtype=torch.uint8)  # sums to more than 2**31
    assert regions._sums(image)[-1, -1].tolist() == [255 * 9_000_000] * 3
    window = SummedImages([image]).windows(torch.tensor([[0, 0, 3000, 3000]]), torch.tensor([0]), 2)
    assert window.unique().tolist() == [255.0]
