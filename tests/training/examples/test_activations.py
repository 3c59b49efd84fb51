"""What stems make of images is kept as they make it, for learning and for judging."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from paenet.datasets import Augment
from paenet.training import RunError
from paenet.training.examples import activations as keeping
from paenet.training.examples.data import Split, View
from paenet.training.examples.sources import ActivationSource, ImageSource, laid_out

CPU = torch.device("cpu")


def test_what_is_kept_is_what_stems_make_of_the_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    stems = {"a": nn.Conv2d(3, 2, 3).eval(), "b": nn.Flatten()}
    keeper = keeping.Keeper(tmp_path, "base", "float32", 0, 2, Accelerator(cpu=True))
    kept = keeper.keep(stems, images, {"a": 3, "b": 2})
    inputs = images.inputs(slice(None), CPU)
    with torch.no_grad():
        for view, shown in enumerate((inputs, inputs.flip(3))):
            expected = stems["a"](shown)
            for name, values in (("a", expected), ("b", expected.flatten(1))):
                (piece,) = kept[name].views[view]
                assert piece.dtype == np.float16
                assert np.allclose(piece, values, atol=2e-3)
    assert not np.array_equal(kept["a"].views[2][0], kept["a"].views[0][0])
    assert len(kept["b"].views) == 2
    whole = kept["a"].inputs(slice(None), CPU)
    assert torch.equal(kept["b"].inputs(slice(None), CPU), whole.flatten(1))


@pytest.mark.parametrize("exact", [False, True])
def test_a_network_of_the_same_weights_that_computes_something_else_has_its_own(
    exact: bool, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    keeper = keeping.Keeper(tmp_path, "base", "float32", 0, 2, Accelerator(cpu=True), exact=exact)
    for activation in (nn.ReLU(), nn.Tanh(), nn.LeakyReLU(0.1), nn.LeakyReLU(0.2)):
        kept = keeper.keep({"a": activation}, images, {"a": 1})["a"].inputs(slice(None), CPU)
        expected = activation(images.inputs(slice(None), CPU))
        torch.testing.assert_close(kept, expected, rtol=0, atol=1e-3)


class Raising(nn.Module):
    """Changes its input in place, as blocks with a sum at their end do."""

    def forward(self, x: Tensor) -> Tensor:
        return x.add_(1)


@pytest.mark.parametrize("exact", [False, True])
def test_a_stem_that_works_in_place_leaves_what_is_kept_of_the_one_before(
    exact: bool, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    stems = {"a": nn.Conv2d(3, 2, 3).eval(), "b": Raising()}
    keeper = keeping.Keeper(tmp_path, "base", "float32", 0, 2, Accelerator(cpu=True), exact=exact)
    kept = {
        name: k.inputs(slice(None), CPU)
        for name, k in keeper.keep(stems, images, {"a": 1, "b": 1}).items()
    }
    torch.testing.assert_close(kept["b"], kept["a"] + 1, rtol=0, atol=4e-3)


def test_only_views_that_vary_are_made_anew_for_another_seed_or_augmentation(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    split, view = Split(pixels, None, hash="h"), View(8, 127.5, 128.0)
    found = []
    for seed, varied in ((0, Augment()), (1, Augment()), (0, Augment(grey=0.9))):
        keeper = keeping.Keeper(tmp_path, "base", "float32", seed, 2, Accelerator(cpu=True))
        images = ImageSource(split, view, varied)
        found.append(keeper.keep({"a": nn.Flatten()}, images, {"a": 3})["a"].views[2][0])
        assert len(list(tmp_path.rglob("*.npy"))) == 2 + len(found)
    assert all(not np.array_equal(found[0], other) for other in found[1:])
    images = ImageSource(split, view, Augment(flip=0))  # nothing is mirrored
    keeper.keep({"a": nn.Flatten()}, images, {"a": 2})
    assert len(list(tmp_path.rglob("*.npy"))) == 2 + len(found) + 1


def test_what_networks_are_judged_on_is_kept_to_the_last_bit(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    stem = nn.Conv2d(3, 2, 3).eval()
    keeper = keeping.Keeper(tmp_path, "base", "bf16", 0, 5, Accelerator(cpu=True), exact=True)
    kept = keeper.keep({"a": stem}, images, {"a": 1})["a"].inputs(slice(None), CPU)
    with torch.inference_mode():
        assert torch.equal(kept, stem(images.inputs(slice(None), CPU)))


def chain() -> dict[str, nn.Module]:
    """Parts of a network that change layouts, and the values that they are given."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(3, 8, 3).eval(), nn.Conv2d(8, 4, 3).eval()
    shuffled = nn.Sequential(first, nn.Flatten(), nn.Unflatten(1, (8, 6, 6)))
    return {"a": shuffled, "b": Raising(), "c": second, "d": nn.Flatten()}


@pytest.mark.parametrize("exact", [False, True])
def test_what_is_kept_of_a_shallower_stem_changes_nothing(
    exact: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_PIECE", 4)
    pixels = np.random.default_rng(0).integers(0, 256, (11, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    found = []
    for name, before in (("without", []), ("with", ["a", "b", "c"])):
        folder = tmp_path / name
        keeper = keeping.Keeper(folder, "base", "float32", 0, 3, Accelerator(cpu=True), exact=exact)
        for each in before:
            keeper.keep(chain(), images, {each: 1})
        found.append(keeper.keep(chain(), images, {"d": 1})["d"].inputs(slice(None), CPU))
    assert torch.equal(*found)


@pytest.mark.parametrize("shape", [(2, 8, 1, 1), (2, 1, 3, 3), (1, 8, 3, 3), (2, 3, 4, 5), (2, 8)])
def test_values_are_laid_out_alike_whatever_order_they_come_in(shape: tuple[int, ...]) -> None:
    values = torch.rand(shape)
    orders = [values, values.flip(-1).flip(-1), values.transpose(0, -1).clone().transpose(0, -1)]
    if len(shape) == 4:
        orders.append(values.contiguous(memory_format=torch.channels_last))
    found = [laid_out(order) for order in orders]
    assert len({each.stride() for each in found}) == 1
    assert all(torch.equal(each, values) for each in found)


def test_what_is_kept_exactly_of_a_shallower_stem_is_where_a_deeper_one_begins(
    tmp_path: Path,
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    keeper = keeping.Keeper(tmp_path, "base", "bf16", 0, 2, Accelerator(cpu=True), exact=True)
    keeper.keep(chain(), images, {"b": 1})
    ran: list[str] = []
    parts = chain()
    for name, part in parts.items():
        part.register_forward_hook(lambda *_, name=name: ran.append(name))
    keeper.keep(parts, images, {"d": 1})
    assert ran == 3 * ["c", "d"]


def test_there_may_be_more_pieces_than_a_process_may_have_open_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resource = pytest.importorskip("resource")  # of POSIX alone
    monkeypatch.setattr(keeping, "_PIECE", 1)
    pixels = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    keeper = keeping.Keeper(tmp_path, "base", "float32", 0, 1, Accelerator(cpu=True))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/dev/fd")) + 50, hard))
    try:
        kept = keeper.keep({"a": nn.Flatten()}, images, {"a": 1})["a"].inputs(slice(None), CPU)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    expected = images.inputs(slice(None), CPU).flatten(1)
    torch.testing.assert_close(kept, expected, rtol=0, atol=1e-3)


def test_a_piece_that_was_cut_short_is_named(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    images = ImageSource(Split(pixels, None, hash="h"), View(8, 127.5, 128.0))
    keeper = keeping.Keeper(tmp_path, "base", "float32", 0, 2, Accelerator(cpu=True))
    for size in (1000, 10, 0):
        keeper.keep({"a": nn.Flatten()}, images, {"a": 1})
        (file,) = tmp_path.rglob("*.npy")
        os.truncate(file, size)
        with pytest.raises(RunError, match=r"cannot be read: .*; clear it \(pae cache clear\)$"):
            keeper.keep({"a": nn.Flatten()}, images, {"a": 1})
        file.unlink()


def test_rows_of_activations_come_from_the_views_that_were_drawn() -> None:
    def pieces(view: int) -> list[np.ndarray]:
        values = np.arange(10, dtype=np.float16)[:, None] + 100 * view
        return [values[:4], values[4:8], values[8:]]

    source = ActivationSource([pieces(0), pieces(1)])
    assert len(source) == 10
    assert source.inputs(slice(3, 9), CPU).flatten().tolist() == [3, 4, 5, 6, 7, 8]
    draw = torch.Generator().manual_seed(0)
    rows = np.array([9, 0, 4, 4, 4, 4, 4, 4])
    varied = source.varied(rows, draw, CPU).flatten()
    assert (varied % 100).tolist() == rows.tolist()
    assert set((varied // 100).tolist()) == {0, 1}
