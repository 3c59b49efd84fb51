"""Which files hold the same bytes, and which are not read for it."""

import os
from pathlib import Path

import pytest

from paenet.datasets.published.contents import Contents


def put(root: Path, **files: bytes) -> Contents:
    for name, data in files.items():
        (root / name).write_bytes(data)
    return Contents(root)


def test_the_first_of_the_same_bytes_was_not_seen_before(tmp_path: Path) -> None:
    contents = put(tmp_path, a=b"one", b=b"two", c=b"one", d=b"three", e=b"two", f=b"one")
    assert [contents.seen(name) for name in "abcdef"] == [False, False, True, False, True, True]


def test_a_file_whose_size_no_other_has_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = put(tmp_path, a=b"1", b=b"22", c=b"333", d=b"4444")
    monkeypatch.setattr(Path, "open", lambda *_: pytest.fail("a file was read"))
    assert not any(contents.seen(name) for name in "abcd")


def test_what_cannot_be_read_is_like_no_other(tmp_path: Path) -> None:
    contents = put(tmp_path, a=b"")
    os.mkfifo(tmp_path / "b")  # which would be waited for
    (tmp_path / "c").symlink_to(tmp_path / "nowhere")
    assert not any(contents.seen(name) for name in ("a", "b", "c", "b", "c", "d"))
