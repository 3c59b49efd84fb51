"""Folders name classes and splits; without splits, an image's path draws its own."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, read_folder
from paenet.datasets.folder import folder_splits
from tests.datasets.pictures import picture, png


def put(folder: Path, *names: str) -> None:
    for number, name in enumerate(names):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(picture(number)))


def test_split_folders_and_class_folders_become_columns(tmp_path: Path) -> None:
    put(tmp_path, "train/cat/1.png", "train/dog/2.PNG", "val/dog/3.png")
    (tmp_path / "train/cat/notes.txt").write_text("no image")
    (tmp_path / "train/cat/.hidden.png").write_text("no image")

    train = read_folder(tmp_path, "train")

    assert train.paths == ("train/cat/1.png", "train/dog/2.PNG")
    assert train.columns == {"label": ("cat", "dog"), "split": ("train", "train")}
    np.testing.assert_array_equal(train.read(1), picture(1))
    assert len(read_folder(tmp_path)) == 3
    assert folder_splits(tmp_path) == ("train", "val")


def test_without_split_folders_every_image_has_one_split(tmp_path: Path) -> None:
    put(tmp_path, *(f"c{number % 2}/{number}.png" for number in range(60)))
    parts = [set(read_folder(tmp_path, split).paths) for split in ("train", "val", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 60
    assert len(parts[0]) > len(parts[1]) + len(parts[2])


def test_folders_below_a_class_are_its_own_and_images_beside_classes_are_told_of(
    tmp_path: Path,
) -> None:
    put(tmp_path, "plain/2023/may/a.png", "plain/b.png", "glasses/c.png", "lost.png")
    found = read_folder(tmp_path)
    assert found.paths == ("glasses/c.png", "plain/2023/may/a.png", "plain/b.png")
    assert found.columns["label"] == ("glasses", "plain", "plain")
    assert found.skipped.first == {"an image beside the folders of classes": ("lost.png",)}

    put(tmp_path / "split", "train/plain/2023/a.png", "val/plain/b.png", "train/lost.png")
    train = read_folder(tmp_path / "split", "train")
    assert train.paths == ("train/plain/2023/a.png",)
    assert train.columns == {"label": ("plain",), "split": ("train",)}
    assert len(train.skipped) == 1


def test_an_image_keeps_its_split_when_others_come(tmp_path: Path) -> None:
    put(tmp_path, *(f"c/{number}.png" for number in range(20)))
    before = read_folder(tmp_path)
    put(tmp_path, *(f"c/{number}.png" for number in range(20, 40)))
    after = read_folder(tmp_path)
    splits = dict(zip(after.paths, after.columns["split"], strict=True))
    assert tuple(splits[path] for path in before.paths) == before.columns["split"]


def test_a_folder_that_cannot_be_looked_into_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "plain/a.png", "plain/2023/b.png")
    plain = os.scandir

    def scandir(path: object) -> object:
        if str(path).endswith("2023"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return plain(path)  # type: ignore[call-overload]

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match=r"2023: Permission denied; check the path"):
        read_folder(tmp_path)


def test_a_wrong_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="none: No such file"):
        read_folder(tmp_path / "none")
    with pytest.raises(DataError, match="no images; expected"):
        read_folder(tmp_path)
    put(tmp_path, "train/cat/1.png")
    with pytest.raises(DataError, match="no examples in split 'test'; known: train"):
        read_folder(tmp_path, "test")
    put(tmp_path, "cat/1.png")
    with pytest.raises(DataError, match="folder 'cat' stands beside the split 'train'"):
        read_folder(tmp_path)
