"""What a table gives, and how a wrong one is refused: in one line that names it."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from paenet.datasets import DataError, read_table
from paenet.datasets.table import table_splits
from tests.datasets.pictures import picture

Write = Callable[..., Path]
Images = Callable[[int], list[str]]


def test_a_split_has_its_rows_in_order_with_their_labels(table: Write, images: Images) -> None:
    images(3)
    path = table("path,age,split", "0.png,7,train", "1.png,30,val", "2.png,81,train")

    examples = read_table(path, "train")

    assert examples.paths == ("0.png", "2.png")
    assert examples.columns == {"age": ("7", "81"), "split": ("train", "train")}
    np.testing.assert_array_equal(examples.read(1), picture(2))
    assert table_splits(path) == ("train", "val")


def test_without_a_split_all_rows_are_taken_and_no_split_column_is_needed(
    table: Write, images: Images
) -> None:
    images(2)
    assert len(read_table(table("path", "0.png", "1.png"))) == 2


def test_a_byte_order_mark_blank_lines_and_quotes_are_read(table: Write, images: Images) -> None:
    images(1)
    path = table("path,note", '0.png,"a, b"', "", encoding="utf-8-sig")
    assert read_table(path).columns == {"note": ("a, b",)}


def test_images_come_out_of_an_archive(archive: Path) -> None:
    path = archive.parent / "labels.csv"
    path.write_text(f"path\n{archive.name}/in/3.png\n{archive.name}/in/1.png\n")
    examples = read_table(path)
    np.testing.assert_array_equal(examples.read(0), picture(3))
    np.testing.assert_array_equal(examples.read(1), picture(1))


def test_the_version_changes_with_an_image_and_not_with_a_label(
    table: Write, images: Images, tmp_path: Path
) -> None:
    images(1)
    before = read_table(table("path,age", "0.png,7")).version
    assert read_table(table("path,age", "0.png,8")).version == before
    (tmp_path / "0.png").write_bytes(b"other")
    assert read_table(table("path,age", "0.png,8")).version != before


@pytest.mark.parametrize(
    ("lines", "split", "message"),
    [
        ([], None, "empty; its first line must name the columns"),
        (["path,age"], None, "a header and no rows"),
        (["file,age", "0.png,7"], None, "no column 'path'; known: age, file"),
        (["path,spilt", "0.png,train"], "train", "no column 'split'; did you mean 'spilt'?"),
        (["path,age,age", "0.png,1,2"], None, "column 'age' stands there twice"),
        (["path,age", "0.png,1", "0.png"], None, "line 3 has 1 cells, the header 2"),
        (["path,age", '0.png,"1'], None, "line 2 is not CSV"),
        (["path,split", "0.png,train"], "test", "no examples in split 'test'; known: train"),
        (["path", "../0.png"], None, "path '../0.png' leaves the folder"),
        (["path", "/etc/passwd"], None, "path '/etc/passwd' leaves the folder"),
        (["path", r"..\0.png"], None, "leaves the folder"),
        (["path", "faces.zip/0.png"], None, "no such archive"),
    ],
)
def test_a_wrong_table_is_refused_in_one_line_that_names_it(
    table: Write, tmp_path: Path, lines: list[str], split: str | None, message: str
) -> None:
    with pytest.raises(DataError, match=re.escape(message)) as error:
        read_table(table(*lines), split)
    assert str(tmp_path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_that_is_absent_or_not_utf8_is_refused(table: Write, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: No such file"):
        read_table(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"labels\.csv: byte 5 is not UTF-8; save the table"):
        read_table(table("path,é", "0.png,1", encoding="latin-1"))


@pytest.mark.real
def test_real_tables_have_the_counts_that_their_readme_gives(real_data: Path) -> None:
    counts = {"utkface": (11268, 1166, 1866), "ferplus": (7757, 3121, 2422)}
    for name, expected in counts.items():
        path = real_data / "data" / name / "labels.csv"
        found = tuple(len(read_table(path, split)) for split in ("train", "val", "test"))
        assert found == expected
