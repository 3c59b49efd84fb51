"""A whole folder: nothing lost, nothing done twice, nothing broken fatal."""

import csv
import errno
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from paenet.datasets import read_published
from paenet.faces import Detector, Faces, FacesError, Framing, align_folder, aligning, choose, crop
from paenet.faces.aligning import _targets
from paenet.faces.record import COLUMNS
from tests.datasets.published.test_adience import adience

CROPS = ["ada/1.png", "ada/2.png", "bob/2.png", "bob/deep/1.png"]


def crops(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("[!.]*.png"))


def table(out: Path) -> list[dict[str, str]]:
    with (out / "alignment.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    return rows


def times(out: Path) -> dict[str, int]:
    return {name: (out / name).stat().st_mtime_ns for name in crops(out)}


def test_folders_stay_as_they_are_and_crops_are_the_detectors(
    folder: Path, tmp_path: Path, detector: Detector, portraits: list[np.ndarray]
) -> None:
    out = tmp_path / "out"
    report = align_folder(folder, out)
    assert crops(out) == CROPS
    assert (report.images, report.aligned, report.crops, report.done_before) == (5, 4, 4, 0)
    assert report.without == [("empty.png", "no face found")]
    assert report.broken == []
    found = choose(detector.detect(portraits[:1])[0], 160, 160)
    assert np.array_equal(
        np.asarray(Image.open(out / CROPS[0])), crop(portraits[0], found.boxes[0])
    )


def test_adience_cut_out_as_the_paper_does_is_still_adience(
    tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    root, out = adience(tmp_path / "in", per_fold=1, folder="aligned"), tmp_path / "out"
    photographs = sorted((root / "aligned").rglob("*.jpg"))
    for number, path in enumerate(photographs):
        loose = np.pad(portraits[number % 4], ((80, 80), (80, 80), (0, 0)), "edge")
        Image.fromarray(loose if number else np.zeros_like(loose)).save(path)
    framing = Framing(size=182, margin=44, margin_in="photograph", format="jpg")
    align_folder(root / "aligned", out / "aligned", framing)
    for labels in root.glob("fold_*_data.txt"):
        shutil.copy(labels, out)
    faces = read_published("adience", out, images="aligned")
    assert list(faces.paths) == [path.relative_to(root).as_posix() for path in photographs[1:]]
    assert faces.skipped.counts == {"no such image": 1}
    assert {faces.read(row).shape for row in range(len(faces))} == {(182, 182, 3)}


def test_the_table_tells_of_every_photograph(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (folder / "bad.jpg").write_bytes(b"hello")
    align_folder(folder, out)
    rows = {row["path"]: row for row in table(out)}
    assert list(rows) == [
        *("ada/1.png", "ada/2.png", "bad.jpg", "bob/2.webp", "bob/deep/1.png", "empty.png")
    ]
    first = rows["ada/1.png"]
    assert (first["found"], first["crop"], first["reason"]) == ("1", "ada/1.png", "")
    assert float(first["left"]) < float(first["left_eye_x"]) < float(first["right"])
    assert 0.7 < float(first["score"]) <= 1
    for path, reason in (("bad.jpg", "not an image (5 bytes)"), ("empty.png", "no face found")):
        assert rows[path]["found"] == "0"
        assert reason in rows[path]["reason"]
        assert rows[path]["crop"] == rows[path]["left"] == rows[path]["mouth_right_y"] == ""


def test_broken_photographs_are_named_and_the_others_aligned(
    folder: Path, tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    (folder / "zero.jpg").touch()
    Image.fromarray(portraits[0]).save(folder / "short.jpg")
    (folder / "short.jpg").write_bytes((folder / "short.jpg").read_bytes()[:900])
    (folder / "gone.jpg").symlink_to(tmp_path / "nowhere.jpg")
    os.mkfifo(folder / "pipe.jpg")
    report = align_folder(folder, tmp_path / "out")
    assert [path for path, _ in report.broken] == ["gone.jpg", "short.jpg", "zero.jpg"]
    assert all(str(folder) not in reason for _, reason in report.broken)
    assert report.aligned == 4


def test_a_second_run_does_what_is_missing_and_nothing_else(
    folder: Path, tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    before = times(out)
    again = align_folder(folder, out)
    assert (again.done_before, times(out)) == (5, before)
    (out / "ada/2.png").unlink()
    Image.fromarray(portraits[0]).save(folder / "new.png")
    after = align_folder(folder, out)
    assert (after.images, after.aligned, after.done_before) == (6, 5, 4)
    assert crops(out) == [*CROPS, "new.png"]
    assert {n: t for n, t in times(out).items() if n not in ("ada/2.png", "new.png")} == {
        name: time for name, time in before.items() if name != "ada/2.png"
    }


def test_a_photograph_that_has_changed_is_aligned_anew(
    folder: Path, tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    Image.fromarray(portraits[3]).save(folder / "ada/1.png")
    Image.new("RGB", (50, 60)).save(folder / "ada/2.png")
    report = align_folder(folder, out)
    assert report.done_before == 3
    assert crops(out) == [name for name in CROPS if name != "ada/2.png"]
    assert (out / "ada/1.png").read_bytes() == (out / "bob/2.png").read_bytes()


def test_crops_of_a_photograph_that_has_changed_go_even_where_the_run_was_cut_off(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    Image.new("RGB", (50, 60)).save(folder / "ada/2.png")

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align_folder(folder, out, progress=stop)
    align_folder(folder, out)
    assert crops(out) == [name for name in CROPS if name != "ada/2.png"]


def test_crops_of_photographs_that_are_gone_are_told_and_stay(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert align_folder(folder, out).gone == []
    (folder / "ada/2.png").rename(folder / "bob/moved.png")
    report = align_folder(folder, out)
    assert report.gone == ["ada/2.png"]
    assert crops(out) == sorted([*CROPS, "bob/moved.png"])
    (out / "ada/2.png").unlink()
    assert align_folder(folder, out).gone == []


def test_a_crop_is_of_the_photograph_that_was_cut_last(
    folder: Path, tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    kept = (out / "ada/1.png").read_bytes()
    (folder / "ada/1.png").rename(tmp_path / "1.png")
    Image.fromarray(portraits[3]).save(folder / "ada/1.webp", lossless=True)
    align_folder(folder, out)
    assert (out / "ada/1.png").read_bytes() != kept
    (folder / "ada/1.webp").unlink()
    (tmp_path / "1.png").rename(folder / "ada/1.png")
    align_folder(folder, out)
    assert (out / "ada/1.png").read_bytes() == kept


def test_what_could_not_be_read_is_tried_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", _refused)
        assert len(align_folder(folder, out).broken) == 5
    assert align_folder(folder, out).broken == []
    assert crops(out) == CROPS


def _refused(path: Path) -> bytes:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def test_a_name_that_leaves_no_room_for_a_crops_is_told_and_the_others_are_aligned(
    folder: Path, tmp_path: Path, portraits: list[np.ndarray]
) -> None:
    long = ("n" * 251, "m" * 250)
    for name in long:
        Image.fromarray(portraits[0]).save(folder / f"{name}.png")
    framing = Framing(format="webp")
    report = align_folder(folder, tmp_path / "out", framing)
    assert report.without == [
        ("empty.png", "no face found"),
        (f"{long[0]}.png", "its name is too long for a crop's"),
    ]
    assert (tmp_path / "out" / f"{long[1]}.webp").is_file()


def test_a_record_that_points_outside_is_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    record = out / ".alignment.jsonl"
    record.write_text(record.read_text().replace('"ada/1.png"', '"../precious.png"'))
    with pytest.raises(FacesError, match="is damaged"):
        align_folder(folder, out)


def test_what_was_done_before_a_kill_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligning, "_TOGETHER", 2)
    whole, out = tmp_path / "whole", tmp_path / "out"
    align_folder(folder, whole)

    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align_folder(folder, out, progress=stop)
    assert crops(out) == CROPS[:2]
    # As if killed in the middle of a crop and of a line.
    (out / "ada/.1.png.99.tmp").write_bytes(b"half")
    record = out / ".alignment.jsonl"
    record.write_bytes(record.read_bytes() + b'{"path": "bob/')
    before = times(out)
    report = align_folder(folder, out)
    assert report.done_before == 2
    assert {name: times(out)[name] for name in CROPS[:2]} == before
    assert not list(out.rglob("*.tmp"))
    for name in [*CROPS, "alignment.csv"]:
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_a_kill_within_the_first_line_leaves_a_folder_to_go_on_with(
    folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / ".alignment.jsonl").write_bytes(b'{"sou')
    assert align_folder(folder, out).aligned == 4
    assert align_folder(folder, out).done_before == 5


@pytest.mark.slow
def test_several_workers_make_what_one_makes(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aligning, "_TOGETHER", 2)
    (folder / "bad.jpg").write_bytes(b"hello")
    seen: list[tuple[int, int]] = []
    one, two = tmp_path / "one", tmp_path / "two"
    align_folder(folder, one)
    report = align_folder(folder, two, workers=2, progress=lambda *counts: seen.append(counts))
    assert seen[-1] == (6, 6)
    assert [path for path, _ in report.broken] == ["bad.jpg"]
    for name in [*CROPS, "alignment.csv"]:
        assert (one / name).read_bytes() == (two / name).read_bytes()


@pytest.mark.parametrize(
    ("changed", "shape"),
    [
        ({"size": 182, "margin": 44, "margin_in": "photograph"}, (182, 182, 3)),
        ({"method": "similarity", "size": 112}, (112, 112, 3)),
        ({"method": "similarity", "size": 8}, (8, 8, 3)),
        ({"format": "jpg"}, (160, 160, 3)),
        ({"format": "webp"}, (160, 160, 3)),
    ],
)
def test_a_framing_is_what_is_written(
    changed: dict[str, Any], shape: tuple[int, ...], folder: Path, tmp_path: Path
) -> None:
    framing = Framing(**changed)
    align_folder(folder / "bob", tmp_path / "out", framing)
    file = tmp_path / "out" / f"2.{framing.format}"
    assert np.asarray(Image.open(file)).shape == shape


def test_all_faces_of_a_photograph_are_numbered(
    tmp_path: Path, photographs: list[np.ndarray]
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photographs[1]).save(tmp_path / "in" / "group.png")
    out = tmp_path / "out"
    report = align_folder(tmp_path / "in", out, Framing(faces="all"))
    assert (report.images, report.aligned, report.crops) == (1, 1, 2)
    assert crops(out) == ["group_0.png", "group_1.png"]
    assert [row["crop"] for row in table(out)] == ["group_0.png", "group_1.png"]
    assert align_folder(tmp_path / "in", out, Framing(faces="all")).done_before == 1


def test_faces_are_numbered_without_a_gap_where_one_cannot_be_cut(
    tmp_path: Path, photographs: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    Image.fromarray(photographs[1]).save(tmp_path / "in" / "group.png")
    out, framing, cut = tmp_path / "out", Framing(faces="all"), Framing.cut

    def all_but_the_first(self: Framing, pixels: Any, faces: Faces, row: int) -> Any:
        if row == 0:
            raise FacesError("box has no pixel")
        return cut(self, pixels, faces, row)

    monkeypatch.setattr(Framing, "cut", all_but_the_first)
    assert align_folder(tmp_path / "in", out, framing).crops == 1
    assert crops(out) == ["group_0.png"]
    assert align_folder(tmp_path / "in", out, framing).done_before == 1


def test_no_two_photographs_share_a_crop() -> None:
    paths = ["a/1.jpg", "a/1.png", "a/2.jpg", "b/1.jpg", "b/1.JPG.png", "b/1.PNG"]
    targets = _targets(paths)
    assert targets["a/2.jpg"] == "a/2"
    assert targets["a/1.jpg"] == "a/1.jpg"
    assert len({target.casefold() for target in targets.values()}) == len(paths)


def test_a_name_that_is_no_unicode_is_shown_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    try:
        (folder / os.fsdecode(b"\xff.jpg")).touch()
    except OSError:
        pytest.skip("this file system wants Unicode")
    report = align_folder(folder, tmp_path / "out")
    assert report.broken[0][0] == "\\udcff.jpg"
    assert "\\udcff.jpg" in [row["path"] for row in table(tmp_path / "out")]


def test_other_settings_or_another_source_are_refused(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    with pytest.raises(FacesError, match="size 160, not 112"):
        align_folder(folder, out, Framing(size=112))
    with pytest.raises(FacesError, match=f"source {folder}, not"):
        align_folder(folder / "ada", out)


def test_a_folder_with_other_files_is_left_alone(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    with pytest.raises(FacesError, match=r"thesis\.tex"):
        align_folder(folder, out)


def test_a_damaged_record_is_named(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    align_folder(folder, out)
    record = out / ".alignment.jsonl"
    record.write_bytes(record.read_bytes().replace(b'"stamp"', b'"stomp"', 1))
    with pytest.raises(FacesError, match="damaged"):
        align_folder(folder, out)


@pytest.mark.parametrize(
    "changed",
    [{"method": "eyes"}, {"faces": "some"}, {"format": "gif"}, {"margin_in": "face"}],
)
def test_an_unknown_choice_is_named_with_the_known_ones(changed: dict[str, Any]) -> None:
    with pytest.raises(FacesError, match=f"{next(iter(changed))}: .*; give "):
        Framing(**changed)


@pytest.mark.parametrize(
    "changed",
    [
        *({"size": 0}, {"margin": 160}, {"min_face": 3}, {"margin": float("nan")}),
        {"margin": float("inf"), "margin_in": "photograph"},
    ],
)
def test_a_number_out_of_range_is_named(changed: dict[str, Any]) -> None:
    with pytest.raises(FacesError, match=f"{next(iter(changed))}: "):
        Framing(**changed)
