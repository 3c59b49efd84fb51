"""CIFAR-100: binary records, names from text files, groups as tasks."""

from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, read_published
from tests.datasets.published.trees import put_lines, reasons


def record(seed: int, coarse: int, fine: int) -> bytes:
    return bytes([coarse, fine]) + planes(seed).tobytes()


def planes(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (3, 32, 32), dtype=np.uint8)


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    put_lines(tmp_path / "coarse_label_names.txt", *(f"group_{n}" for n in range(20)))
    put_lines(tmp_path / "fine_label_names.txt", *(f"thing_{n}" for n in range(100)), "")
    train = [record(n, n % 20, n % 100) for n in range(200)]
    (tmp_path / "train.bin").write_bytes(b"".join(train))
    (tmp_path / "test.bin").write_bytes(record(1000, 3, 42) + record(1001, 19, 99))
    return tmp_path


def test_labels_and_colours_are_as_in_the_file(cifar: Path) -> None:
    test = read_published("cifar100", cifar, "test")
    assert test.columns["coarse"] == ("group_3", "group_19")
    assert test.columns["fine"] == ("thing_42", "thing_99")
    image = test.read(1)
    assert image.shape == (32, 32, 3)
    for colour in range(3):
        np.testing.assert_array_equal(image[:, :, colour], planes(1001)[colour])


def test_validation_is_drawn_from_the_training_records(cifar: Path) -> None:
    train, val = (read_published("cifar100", cifar, split) for split in ("train", "val"))
    assert len(train) + len(val) == 200
    assert 5 < len(val) < 40
    assert not set(train.paths) & set(val.paths)


def test_a_group_is_a_task_of_its_own(cifar: Path) -> None:
    examples = read_published("cifar100", cifar, coarse="group_3")
    assert set(examples.columns["fine"]) == {f"thing_{n}" for n in (3, 23, 42, 43, 63, 83)}
    with pytest.raises(DataError, match="coarse is 'group_20'; give one of group_0, group_1"):
        read_published("cifar100", cifar, coarse="group_20")


def test_the_folder_of_the_archive_may_be_there(cifar: Path, tmp_path: Path) -> None:
    inner = tmp_path / "cifar-100-binary"
    inner.mkdir()
    for file in [file for file in tmp_path.iterdir() if file.is_file()]:
        file.rename(inner / file.name)
    assert len(read_published("cifar100", tmp_path)) == 202


def test_what_is_cut_off_or_out_of_range_is_counted(cifar: Path) -> None:
    (cifar / "test.bin").write_bytes(record(0, 3, 42) + record(1, 20, 255) + b"cut off")
    examples = read_published("cifar100", cifar)
    assert reasons(examples) == {"the file ends in the middle of it": 1, "coarse 20": 1}
    assert examples.skipped.first["coarse 20"] == ("test.bin record 2",)


def test_a_file_that_shrinks_after_it_was_listed_is_named(cifar: Path) -> None:
    test = read_published("cifar100", cifar, "test")
    (cifar / "test.bin").write_bytes(b"")
    with pytest.raises(DataError, match=r"test\.bin record 1: the file ends in the middle of it"):
        test.read(0)
    (cifar / "test.bin").unlink()
    with pytest.raises(DataError, match=r"test\.bin: No such file"):
        test.read(0)


@pytest.mark.parametrize("name", ["train.bin", "test.bin", "fine_label_names.txt"])
def test_a_missing_file_is_named(name: str, cifar: Path) -> None:
    (cifar / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: No such file"):
        read_published("cifar100", cifar)


def test_another_number_of_names_is_refused(cifar: Path) -> None:
    put_lines(cifar / "fine_label_names.txt", "apple")
    with pytest.raises(DataError, match="1 names; CIFAR-100 has 100 fine ones"):
        read_published("cifar100", cifar)
