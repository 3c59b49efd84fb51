"""The images and targets of a split, as which numbers; and what bad data is called."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paenet.datasets import Augment, DataError
from paenet.training.errors import RecipeError
from paenet.training.examples.data import Split, View, decode, open_split, split_examples
from paenet.training.examples.material import make_task
from paenet.training.examples.sources import ImageSource
from paenet.training.recipe.network import Input
from tests.training import toys

STILL = Augment(0, (1, 1), 0, 0, 0, 0, 0, 0)
CPU = torch.device("cpu")
VIEW = View(toys.SIZE, 127.5, 128.0)


def split_of(count: int, size: int = 4) -> Split:
    """Images that are all of one value: their row."""
    rows = torch.arange(count)
    return Split(np.full((count, size, size, 3), rows[:, None, None, None], np.uint8), rows)


def opened(faces: Path, split: str = "train", limit: int | None = None, **keys: Any) -> Split:
    plan = toys.recipe(toys.task("gender", faces, **keys)).tasks[0]
    return open_split(
        plan,
        make_task(plan),
        split,
        view=VIEW,
        given=Input(),
        cache=faces.parent / "cache",
        limit=limit,
        seed=0,
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A table of its own, to be spoilt."""
    return toys.table(tmp_path)


def rewrite(table: Path, row: int, **cells: str) -> None:
    """Other cells in one row of a table."""
    rows = toys.read_csv(table)
    rows[row] |= cells
    toys.write_csv(table, rows)


# ---------------------------------------------------------------- views and splits


def test_pixels_become_inputs_by_mean_and_scale_in_channels_last_order() -> None:
    pixels = torch.tensor([0, 127, 255], dtype=torch.uint8).repeat(2, 4, 4, 1).permute(0, 3, 1, 2)
    inputs = View(4, 127.5, 128.0).normalise(pixels)
    assert inputs.dtype == torch.float32
    assert inputs[0, :, 0, 0].tolist() == [-127.5 / 128, -0.5 / 128, 127.5 / 128]
    assert inputs.is_contiguous(memory_format=torch.channels_last)


def test_of_larger_images_the_centre_is_seen_and_training_sees_any_place() -> None:
    places = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6)
    pixels = places.expand(200, 3, 6, 6)
    view = View(4, 0.0, 1.0, resize=6)
    assert torch.equal(view.normalise(pixels), pixels[:, :, 1:5, 1:5].float())
    cut = view.anywhere(pixels, torch.Generator().manual_seed(0))
    for square, corner in zip(cut, cut[:, 0, 0, 0].tolist(), strict=True):
        top, left = divmod(corner, 6)
        assert torch.equal(square, pixels[0, :, top : top + 4, left : left + 4])
    assert set(cut[:, 0, 0, 0].tolist()) == {
        6 * top + left for top in range(3) for left in range(3)
    }
    assert torch.equal(view.normalise(cut), cut.float())


def test_whole_images_take_no_draw() -> None:
    draw = torch.Generator().manual_seed(0)
    state = draw.get_state()
    pixels = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    assert View(4, 0.0, 1.0, resize=4).anywhere(pixels, draw) is pixels
    assert torch.equal(draw.get_state(), state)


def test_images_are_decoded_with_the_room_that_is_cut_from(faces: Path) -> None:
    plan = toys.recipe(toys.task("gender", faces)).tasks[0]
    table = split_examples(plan, "val")
    view = View(toys.SIZE, 127.5, 128.0, resize=toys.SIZE + 4)
    split = decode(table, view, Input(), faces.parent / "cache")
    assert split.pixels.shape[1:] == (toys.SIZE + 4, toys.SIZE + 4, 3)
    source = ImageSource(split, view, STILL)
    shape = (len(split), 3, toys.SIZE, toys.SIZE)
    rows = np.arange(len(split))
    assert source.inputs(rows, CPU).shape == shape
    assert source.varied(rows, torch.Generator().manual_seed(0), CPU).shape == shape


def test_a_split_gives_the_images_of_the_rows_that_are_asked_for_in_their_order() -> None:
    split = split_of(10)
    images = split.images(np.array([7, 2, 7]))
    assert images.shape == (3, 3, 4, 4)
    assert images[:, 0, 0, 0].tolist() == [7, 2, 7]
    assert torch.equal(split.images(slice(3, 5)), split.images(np.array([3, 4])))


def test_targets_stand_beside_their_images(faces: Path) -> None:
    split = opened(faces)
    assert len(split) == toys.PEOPLE["train"] * toys.PICTURES
    assert split.targets is not None
    bright = torch.from_numpy(split.pixels.mean((1, 2, 3))) > 85
    assert torch.equal(bright.long(), split.targets)  # every light picture is "light"


def test_another_label_gives_another_hash_of_the_targets(own: Path) -> None:
    before = opened(own)
    rewrite(own, 0, shade="light")
    after = opened(own)
    assert before.hash == after.hash  # the pictures are the same
    assert before.targets_hash() != after.targets_hash()


def test_a_limit_takes_the_same_part_of_a_split_every_time(faces: Path) -> None:
    few, again, more = (opened(faces, limit=limit) for limit in (7, 7, 9))
    assert len(few) == 7
    assert np.array_equal(few.pixels, again.pixels)
    assert len(more) == 9
    assert len(opened(faces, limit=10_000)) == len(opened(faces))


def test_the_limits_part_is_not_just_the_first_rows(faces: Path) -> None:
    assert not np.array_equal(opened(faces, limit=7).pixels, opened(faces).pixels[:7])


# ---------------------------------------------------------------- bad data


def test_an_unknown_label_is_named_with_its_image_and_the_nearest_class(own: Path) -> None:
    rewrite(own, 3, shade="lihgt")
    message = rf"{own}: train/0-3.png: .*'lihgt' is not a class; did you mean 'light'\?"
    with pytest.raises(DataError, match=message):
        opened(own)


def test_the_image_of_an_unknown_label_is_named_behind_a_broken_one(own: Path) -> None:
    (own.parent / "train" / "0-0.png").write_bytes(b"no image")
    rewrite(own, 3, shade="")
    plan = toys.recipe(toys.task("gender", own)).tasks[0]
    with pytest.raises(DataError, match=r"train/0-3\.png: "):
        open_split(
            plan,
            make_task(plan),
            "train",
            view=VIEW,
            given=Input(max_broken=0.5),
            cache=own.parent / "cache",
            limit=None,
            seed=0,
        )


def test_a_missing_column_is_named(own: Path) -> None:
    with pytest.raises(DataError, match=rf"{own}: .*no column 'shde'; did you mean 'shade'\?"):
        opened(own, settings={"classes": ["dark", "light"], "label": "shde"})


def test_an_empty_split_is_named_with_those_there_are(own: Path) -> None:
    toys.write_csv(own, [row for row in toys.read_csv(own) if row["split"] != "val"])
    with pytest.raises(DataError, match=rf"task 'gender': {own}: no examples in split 'val'"):
        opened(own, "val")


def test_a_split_of_one_example_is_refused(own: Path) -> None:
    rows = toys.read_csv(own)
    toys.write_csv(
        own, [row | {"split": "val" if i == 0 else "train"} for i, row in enumerate(rows)]
    )
    with pytest.raises(
        RecipeError, match=r"task 'gender': split 'val' of .* has too few examples \(1\); give"
    ):
        opened(own, "val")


def test_a_missing_archive_is_named(own: Path) -> None:
    rewrite(own, 0, path="faces.zip/0.png")
    with pytest.raises(DataError, match=r"faces\.zip"):
        opened(own)


def test_images_may_lie_in_an_archive(own: Path, faces: Path) -> None:
    with zipfile.ZipFile(own.parent / "faces.zip", "w") as archive:
        archive.write(own.parent / "train" / "0-0.png", "0.png")
    rewrite(own, 0, path="faces.zip/0.png")
    assert np.array_equal(opened(own).pixels, opened(faces).pixels)


@pytest.mark.parametrize("table", ["absent.csv", "."])
def test_a_table_that_is_absent_or_a_folder_is_named_with_its_task(
    table: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=f"task 'gender': {tmp_path}"):
        opened(tmp_path / table)


@pytest.mark.parametrize(("broken", "stops"), [(1, False), (2, True)])
def test_one_corrupt_image_in_a_hundred_is_left_out_and_more_stop(
    broken: int, stops: bool, own: Path
) -> None:
    train = [row for row in toys.read_csv(own) if row["split"] == "train"]
    rows = [dict(row) for _ in range(4) for row in train]  # 192 of them
    bad = own.parent / "train" / "bad.png"
    bad.write_bytes(b"\x89PNG, but no more")
    for row in range(broken):
        rows[row] |= {"path": "train/bad.png"}
    toys.write_csv(own, rows)
    if stops:
        message = rf"{own}: at least 2 of 192 .* max_broken = 0.01 .*{bad}"
        with pytest.raises(DataError, match=message):
            opened(own)
        return
    split = opened(own)
    assert split.targets is not None
    assert len(split) == len(split.targets) == 191
    assert [path for path, _ in split.broken] == ["train/bad.png"]
