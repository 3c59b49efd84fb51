"""`pae align`: what it prints, how it refuses, and that a kill loses nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paenet import datasets, faces
from tests.cli.answers import contents, document, refusal
from tests.cli.conftest import Pae


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Two portraits, a blank and a broken file."""
    folder = tmp_path / "in"
    drawn = datasets.synthetic_faces(people=2, per_person=1, size=160)
    for row in range(2):
        (folder / str(row)).mkdir(parents=True)
        Image.fromarray(drawn.read(row)).save(folder / str(row) / "face.png")
    Image.fromarray(np.zeros((60, 60, 3), np.uint8)).save(folder / "blank.png")
    (folder / "bad.jpg").write_bytes(b"hello")
    return folder


def test_a_folder_is_aligned_and_told_of(photographs: Path, tmp_path: Path, pae: Pae) -> None:
    out = tmp_path / "out"
    found = document(pae("align", photographs, out, "--workers", "1", "--json"))
    assert found.pop("seconds") > 0
    assert found == {
        "images": 4,
        "aligned": 2,
        "crops": 2,
        "without": [{"path": "blank.png", "reason": "no face found"}],
        "broken": [
            {
                "path": "bad.jpg",
                "reason": "not an image (5 bytes); it can be JPEG, PNG, WEBP, BMP, GIF, TIFF, PPM",
            }
        ],
        "done_before": 0,
        "table": str(out / "alignment.csv"),
        "gone": [],
    }
    for row in range(2):
        assert Image.open(out / str(row) / "face.png").size == (160, 160)
    again = pae("align", photographs, out, "--workers", "1")
    assert again.code == 0
    assert "broken: bad.jpg: not an image" in again.out
    assert any(line.split() == ["done", "before", "3"] for line in again.out.splitlines())


def test_crops_of_photographs_that_are_gone_are_named(
    photographs: Path, tmp_path: Path, pae: Pae
) -> None:
    out = tmp_path / "out"
    pae("align", photographs, out, "--workers", "1")
    (photographs / "0" / "face.png").unlink()
    done = pae("align", photographs, out, "--workers", "1")
    assert f"Remove what is no longer wanted, the first: {out / '0' / 'face.png'}\n" in done.out


def test_a_folder_of_broken_photographs_alone_is_no_success(
    photographs: Path, tmp_path: Path, pae: Pae
) -> None:
    for file in photographs.rglob("*.png"):
        file.unlink()
    done = pae("align", photographs, tmp_path / "out", "--workers", "1")
    assert done.code == 2
    assert "broken: bad.jpg: not an image" in done.out
    assert f"pae: {photographs}: none of its photographs could be read (1)" in done.err


def test_options_reach_the_crops(photographs: Path, tmp_path: Path, pae: Pae) -> None:
    out = tmp_path / "out"
    options = ["--method", "similarity", "--size", "64", "--faces", "all", "--format", "jpg"]
    assert pae("align", photographs, out, "--workers", "1", *options).code == 0
    assert Image.open(out / "0" / "face_0.jpg").size == (64, 64)


def test_without_workers_there_is_one_for_each_processor_that_may_be_used(
    photographs: Path, tmp_path: Path, pae: Pae, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    plain = faces.align_folder

    def noted(*arguments: Any, workers: int, **options: Any) -> faces.Report:
        asked.append(workers)
        return plain(*arguments, workers=1, **options)

    monkeypatch.setattr(faces, "align_folder", noted)
    monkeypatch.setattr("paenet.workers.processors", lambda: 3)
    assert pae("align", photographs, tmp_path / "out").code == 0
    assert asked == [3]


def test_places_that_cannot_be_are_refused_in_one_line(
    photographs: Path, tmp_path: Path, pae: Pae
) -> None:
    out = tmp_path / "out"
    refusal(pae("align", tmp_path / "none", out), tmp_path / "none", "no such folder")
    refusal(pae("align", photographs / "bad.jpg", out), "bad.jpg", "not a folder")
    refusal(pae("align", photographs, photographs / "crops"), "crops", "outside")
    refusal(pae("align", photographs, photographs), "outside")
    (tmp_path / "empty").mkdir()
    refusal(pae("align", tmp_path / "empty", out), "empty", "no images")
    assert not out.exists()
    (tmp_path / "file").touch()
    refusal(pae("align", photographs, tmp_path / "file" / "out"), tmp_path / "file")
    refusal(pae("align", photographs, tmp_path / "file"), tmp_path / "file")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--size", "0"], "--size"),
        (["--margin", "160"], "margin: 160"),
        (["--method", "eyes"], "eyes"),
        (["--min-face", "3"], "--min-face"),
    ],
)
def test_options_out_of_range_are_refused_in_one_line(
    options: list[str], named: str, photographs: Path, tmp_path: Path, pae: Pae
) -> None:
    refusal(pae("align", photographs, tmp_path / "out", *options), named)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_killed_with_its_workers_at_work_it_ends_as_if_it_never_was(
    photographs: Path, tmp_path: Path, pae: Pae
) -> None:
    face = (photographs / "0" / "face.png").read_bytes()
    for number in range(60):
        (photographs / f"{number:03}.png").write_bytes(face)
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert pae("align", photographs, whole, "--workers", "1").code == 0
    command = [sys.executable, "-m", "paenet", "align", photographs, out, "--workers", "2"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True)
    record = out / ".alignment.jsonl"
    try:
        while process.poll() is None:
            if record.exists() and record.read_bytes().count(b"\n") > 16:
                break
            time.sleep(0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # the workers too
    assert process.wait() == -signal.SIGKILL
    found = document(pae("align", photographs, out, "--workers", "1", "--json"))
    assert found["done_before"] >= 16
    made, expected = contents(out), contents(whole)
    for folder in (made, expected):
        del folder[record.name]  # in the order in which the workers came
    assert made == expected
