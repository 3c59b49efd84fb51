"""Which examples a batch has, in which order, as which numbers; and what bad data is called."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from paenet.datasets import Augment, DataError
from paenet.training.errors import RecipeError
from paenet.training.examples.data import Split, View, open_split
from paenet.training.examples.material import make_task
from paenet.training.examples.sources import ImageSource
from paenet.training.loop.batches import Batches
from paenet.training.recipe.given import Input
from paenet.training.recipe.plan import Budget
from tests.training import toys

STILL = Augment(0, (1, 1), 0, 0, 0, 0, 0, 0)
CPU = torch.device("cpu")
VIEW = View(toys.SIZE, 127.5, 128.0)


def split_of(count: int, size: int = 4) -> Split:
    """Images that are all of one value: their row."""
    rows = torch.arange(count)
    return Split(np.full((count, size, size, 3), rows[:, None, None, None], np.uint8), rows)


def batches(count: int = 40, key: str = "a/train", **changes: Any) -> Batches:
    budget = Budget(batch=changes.pop("batch", 8), examples=changes.pop("examples", None))
    split = split_of(count)
    source = ImageSource(split, View(4, 0.0, 1.0), changes.pop("varied", STILL))
    return Batches(source, split.targets, budget, 1, key, **changes)


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


# ---------------------------------------------------------------- batches


@settings(max_examples=25)
@given(st.integers(8, 60), st.integers(2, 8), st.integers(1, 3))
def test_an_epoch_draws_no_example_twice_and_none_is_always_left_out(
    count: int, batch: int, epochs: int
) -> None:
    made = batches(count, batch=batch)
    for epoch in range(epochs):
        steps = range(epoch * made.epoch_steps, (epoch + 1) * made.epoch_steps)
        drawn = np.concatenate([made.rows(step) for step in steps])
        assert len(drawn) == made.epoch_steps * min(batch, count)
        assert len(set(drawn.tolist())) == len(drawn)
    over_epochs = {row for step in range(30 * made.epoch_steps) for row in made.rows(step)}
    assert over_epochs == set(range(count))


def test_batches_are_a_function_of_seed_stage_and_step() -> None:
    one, other = batches(varied=Augment()), batches(varied=Augment())
    for step in (7, 0, 3):  # in any order, however many came before
        torch.rand(3)
        assert all(torch.equal(a, b) for a, b in zip(one(step, CPU), other(step, CPU), strict=True))  # type: ignore[arg-type]


def test_epochs_and_stages_come_in_orders_of_their_own() -> None:
    made, later_stage = batches(), batches(key="a/prune-1")
    first = [made.rows(step).tolist() for step in range(made.epoch_steps)]
    second = [made.rows(step + made.epoch_steps).tolist() for step in range(made.epoch_steps)]
    assert first != second
    assert first != [later_stage.rows(step).tolist() for step in range(made.epoch_steps)]


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_processes_share_out_every_batch(processes: int) -> None:
    shares = [batches(process=index, processes=processes) for index in range(processes)]
    alone = batches()
    for step in range(2 * alone.epoch_steps):
        targets = [share(step, CPU)[1] for share in shares]
        together = torch.cat([part for part in targets if part is not None])
        assert sorted(together.tolist()) == sorted(alone.rows(step).tolist())
        assert len(set(together.tolist())) == len(together)


def test_processes_vary_their_images_each_in_its_own_way() -> None:
    def brightness(process: int) -> Tensor:
        made = batches(varied=Augment(brightness=0.5), process=process, processes=2)
        pixels, rows = made(0, CPU)
        assert rows is not None
        return pixels.flatten(1).mean(1) / (rows + 1)

    assert not torch.allclose(brightness(0), brightness(1))


def test_a_process_never_gets_a_single_example() -> None:
    with pytest.raises(RecipeError, match=r"a/train: batches of 8 out of 40 .* raise budget.batch"):
        batches(processes=5)
    with pytest.raises(RecipeError, match="out of 3 examples"):
        batches(3, processes=2)


@pytest.mark.parametrize(("epochs", "steps"), [(0, 0), (0.01, 1), (0.5, 2), (1, 5), (2.5, 12)])
def test_a_part_of_an_epoch_is_so_many_steps(epochs: float, steps: int) -> None:
    assert batches(40).steps(epochs) == steps


def test_an_epoch_may_be_a_part_of_the_examples() -> None:
    made = batches(40, examples=16)
    assert (made.epoch_examples, made.epoch_steps) == (16, 2)
    epochs = [set(made.rows(2 * e)) | set(made.rows(2 * e + 1)) for e in range(2)]
    assert all(len(epoch) == 16 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_fewer_examples_than_a_batch_are_one_batch() -> None:
    made = batches(5, batch=8)
    assert made.steps(2) == 2
    assert sorted(made.rows(1).tolist()) == list(range(5))


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
