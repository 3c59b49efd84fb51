"""No path leaves its folder, and an absent image is told from an absent archive."""

import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paenet.datasets import DataError
from paenet.datasets.locating import locate
from tests.datasets.pictures import picture, png


@given(st.lists(st.sampled_from(["a", "..", ".", "", "b.zip", "x.png"]), min_size=1, max_size=6))
def test_whatever_the_path_the_file_lies_in_the_folder(parts: list[str]) -> None:
    folder = Path("/nowhere/table")
    try:
        place = locate(folder, ["/".join(parts)], "t").places[0]
    except DataError:
        return
    assert place.file.resolve().is_relative_to(folder)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (outside / "0.png").write_bytes(png(picture(0)))
    (inside / "link").symlink_to(outside)
    with pytest.raises(DataError, match=re.escape("t: path 'link/0.png' leaves the folder")):
        locate(inside, ["link/0.png"], "t")


def test_an_absent_image_shows_when_it_is_read_not_before(tmp_path: Path) -> None:
    reader = locate(tmp_path, ["none.png"], "t")
    with pytest.raises(DataError, match=r"none\.png: No such file"):
        reader(0)


def test_links_in_a_circle_and_pipes_are_broken_images(tmp_path: Path) -> None:
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    os.mkfifo(tmp_path / "pipe.png")
    reader = locate(tmp_path, ["round.png", "pipe.png"], "t")
    for row, reason in enumerate(("round.png: Too many levels", "pipe.png: is no plain file")):
        with pytest.raises(DataError, match=reason):
            reader(row)
    assert reader.version() == locate(tmp_path, ["round.png", "pipe.png"], "t").version()


def test_the_version_changes_with_order_and_with_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"1")
    (tmp_path / "b.png").write_bytes(b"2")
    before = locate(tmp_path, ["a.png", "b.png"], "t").version()
    assert locate(tmp_path, ["a.png", "b.png"], "t").version() == before
    assert locate(tmp_path, ["b.png", "a.png"], "t").version() != before
    file.write_bytes(b"12")
    assert locate(tmp_path, ["a.png", "b.png"], "t").version() != before
