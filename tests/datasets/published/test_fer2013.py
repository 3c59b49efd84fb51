"""FER2013: pixels in a CSV, the challenge's splits, and FER+'s votes as it counts them."""

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from paenet.datasets import DataError, Images, read_published
from paenet.tasks import create
from tests.datasets.published.trees import labels, put_lines, reasons

NAMES = "anger disgust fear happy sad surprise neutral".split()
USAGES = ("Training", "PublicTest", "PrivateTest")
VOTE_HEADER = (
    "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48))


def text(values: Iterable[int]) -> str:
    return " ".join(map(str, values))


def fer2013(root: Path, *odd: str, count: int = 21, quote: str = "", end: bytes = b"\n") -> Path:
    rows = [
        f"{n % 7},{quote}{text(pixels(n).ravel())}{quote},{USAGES[n % 3]}" for n in range(count)
    ]
    put_lines(root / "fer2013.csv", "emotion,pixels,Usage", *rows, *odd, end=end)
    return root


def put_votes(root: Path, *votes: str) -> Path:
    rows = [f"{USAGES[n % 3]},fer{n:07d}.png,{row}" for n, row in enumerate(votes)]
    put_lines(root / "fer2013new.csv", VOTE_HEADER, *rows)
    return root


@pytest.mark.parametrize(("quote", "end"), [("", b"\n"), ('"', b"\r\n")])
def test_pixels_are_read_from_the_table(quote: str, end: bytes, tmp_path: Path) -> None:
    root = fer2013(tmp_path, quote=quote, end=end)
    for split, name in enumerate(("train", "val", "test")):
        examples = read_published("fer2013", root, name)
        assert examples.columns["expression"] == tuple(NAMES[n % 7] for n in range(split, 21, 3))
        for row in range(7):
            grey = pixels(split + 3 * row)
            np.testing.assert_array_equal(examples.read(row), np.stack([grey] * 3, axis=2))


def test_the_reader_travels_to_another_process_and_into_the_cache(tmp_path: Path) -> None:
    examples = read_published("fer2013", fer2013(tmp_path), "train")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(examples.read, 1).result(), examples.read(1))
    images = Images(examples, 48, tmp_path / "cache")
    np.testing.assert_array_equal(images.pixels[1], examples.read(1))


def test_the_version_changes_with_the_file(tmp_path: Path) -> None:
    before = read_published("fer2013", fer2013(tmp_path)).version
    assert read_published("fer2013", tmp_path).version == before
    assert read_published("fer2013", fer2013(tmp_path, count=24)).version != before


def test_odd_rows_are_counted_and_broken_pixels_named(tmp_path: Path) -> None:
    whole = text(pixels(0).ravel())
    odd = [
        f"7,{whole},Training",
        f"0,{whole},Testing",
        "0,1 2 3,Training",
        "0,1 2 3",
        "",
        f"0,{text(range(2304))},Training",
        f"0,{'9' * 9} {text([0] * 2303)},Training",
        f"0,{text(['x'] * 2304)},Training",
    ]
    examples = read_published("fer2013", fer2013(tmp_path, *odd), "train")
    assert reasons(examples) == {
        **{"expression '7'": 1, "usage 'Testing'": 1, "not 2304 pixels": 1},
        "2 cells, not 3": 1,
    }
    assert len(examples) == 7 + 3
    for row in (7, 8, 9):
        with pytest.raises(DataError, match=r"fer2013\.csv row 2\d: not 2304 numbers from 0 to"):
            examples.read(row)


def test_a_majority_needs_more_than_half_of_the_votes_without_slips(tmp_path: Path) -> None:
    votes = [
        "0,0,0,0,4,1,1,1,3,0",  # 4 of 7 once single votes are gone
        "5,5,0,0,0,0,0,0,0,0",
        "0,0,0,0,0,0,0,9,1,0",
        "0,0,0,0,0,0,0,0,0,10",
        "1,1,1,1,1,1,1,1,1,1",
        "0,0,10,0,0,0,0,0,0,0",
        "x,0,0,0,0,0,0,0,0,10",
        "0,0,0,0,0,6,4,0,0,0",
    ]
    root = put_votes(fer2013(tmp_path, count=9), *votes)
    examples = read_published("fer2013", root, labels="majority")
    assert labels(examples, "expression") == {
        "fer0000000": "anger",
        "fer0000005": "surprise",
        "fer0000007": "disgust",
    }
    assert reasons(examples) == {
        "no votes": 3,  # all of them slips; those that are no numbers; a row that is not there
        "no majority": 1,
        "majority for contempt": 1,
        "majority for no face": 1,
        "votes that are no numbers": 1,
    }
    assert set(examples.columns) == {"expression", "split"}


def test_votes_are_soft_labels_of_a_classification(tmp_path: Path) -> None:
    votes = ("0,0,0,0,6,2,0,2,0,0", "0,10,0,0,0,0,0,0,0,0")
    root = put_votes(fer2013(tmp_path, count=2), *votes)
    examples = read_published("fer2013", root, labels="votes")
    task = create("classification", "expression", classes=NAMES)
    targets = task.encode(examples.columns)
    assert targets[0].tolist() == [0.75, 0.25, 0, 0, 0, 0, 0]
    assert torch.equal(targets[1], torch.eye(7)[3])


def test_images_that_fer_plus_removed_are_left_out(tmp_path: Path) -> None:
    root = fer2013(tmp_path, count=2)
    rows = ("Training,,0,10,0,0,0,0,0,0,0,0", "PublicTest,fer1.png,0,10,0,0,0,0,0,0,0,0")
    put_lines(root / "fer2013new.csv", VOTE_HEADER, *rows)
    examples = read_published("fer2013", root, labels="majority")
    assert labels(examples, "expression") == {"fer0000001": "happy"}


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"fer2013\.csv: No such file.*put the data set's"):
        read_published("fer2013", tmp_path)
    with pytest.raises(DataError, match=r"fer2013new\.csv: No such file"):
        read_published("fer2013", fer2013(tmp_path), labels="votes")
    with pytest.raises(DataError, match="labels is 'soft'; give one of fer2013, majority, votes"):
        read_published("fer2013", tmp_path, labels="soft")
    put_lines(tmp_path / "fer2013.csv", "emotion,Usage")
    with pytest.raises(DataError, match="no column 'pixels'"):
        read_published("fer2013", tmp_path)
