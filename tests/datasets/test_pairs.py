"""Pairs point at distinct images; a wrong line is named."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, read_pairs
from tests.datasets.pictures import picture

HEADER = "fold,path_a,path_b,same"


def test_every_image_is_there_once_and_pairs_point_at_it(
    table: Callable[..., Path], images: Callable[[int], list[str]]
) -> None:
    images(3)
    pairs = read_pairs(table(HEADER, "1,0.png,1.png,1", "2,2.png,0.png,0", "2,1.png,1.png,true"))

    assert sorted(pairs.examples.paths) == ["0.png", "1.png", "2.png"]
    names = np.array(pairs.examples.paths)
    assert names[pairs.a].tolist() == ["0.png", "2.png", "1.png"]
    assert names[pairs.b].tolist() == ["1.png", "0.png", "1.png"]
    assert pairs.same.tolist() == [True, False, True]
    assert pairs.fold.tolist() == [1, 2, 2]
    assert len(pairs) == 3
    np.testing.assert_array_equal(pairs.examples.read(int(pairs.a[1])), picture(2))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,0.png,1.png,maybe", "pair 1: same is 'maybe'; give 1 or 0"),
        ("one,0.png,1.png,1", "pair 1: fold is 'one'; give a number"),
        (f"{2**63},0.png,1.png,1", f"pair 1: fold is '{2**63}'; give a number"),
        ("1,0.png,../1.png,1", "leaves the folder"),
    ],
)
def test_a_wrong_pair_is_named(table: Callable[..., Path], line: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_pairs(table(HEADER, line))


def test_a_missing_column_is_named(table: Callable[..., Path]) -> None:
    with pytest.raises(
        DataError, match=r"no column 'fold'.*; a pairs file has fold, path_a, path_b, same"
    ):
        read_pairs(table("path_a,path_b,same", "0.png,1.png,1"))


@pytest.mark.real
def test_lfw_has_its_official_pairs(real_data: Path) -> None:
    pairs = read_pairs(real_data / "data/lfw/pairs.csv")
    assert len(pairs) == 6000
    assert len(pairs.examples) == 7701
    assert pairs.same.sum() == 3000
    assert np.bincount(pairs.fold)[1:].tolist() == [600] * 10
