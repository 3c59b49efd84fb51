"""Archives are opened once, read by many, and trusted by none."""

import os
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from paenet.datasets import DataError
from paenet.datasets.archives import open_archive
from tests.datasets.pictures import picture, png


def test_an_archive_is_opened_once_and_again_when_it_changed(archive: Path) -> None:
    first = open_archive(archive)
    assert open_archive(archive) is first
    os.utime(archive, (1, 1))
    assert open_archive(archive) is not first


def test_many_threads_read_the_right_bytes(archive: Path) -> None:
    numbers = [number % 8 for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: open_archive(archive).read(f"in/{n}.png"), numbers))
    assert found == [png(picture(number)) for number in numbers]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_reads_without_disturbing_its_parent(archive: Path) -> None:
    open_archive(archive).read("in/0.png")
    child = os.fork()
    if child == 0:
        good = all(open_archive(archive).read(f"in/{n}.png") == png(picture(n)) for n in range(8))
        os._exit(0 if good else 1)
    mine = [open_archive(archive).read(f"in/{n}.png") for n in range(8)]
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert mine == [png(picture(n)) for n in range(8)]


def test_a_member_that_is_absent_or_a_folder_is_named(archive: Path) -> None:
    with pytest.raises(DataError, match=r"in/9\.png: the archive has no such file"):
        open_archive(archive).read("in/9.png")
    with pytest.raises(DataError, match="no such file"):
        open_archive(archive).read("in")


@pytest.mark.parametrize("name", ["none.zip", "none.tar"])
def test_an_absent_archive_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=f"{name}: no such archive"):
        open_archive(tmp_path / name)


@pytest.mark.parametrize("name", ["noise.zip", "noise.tar"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(os.urandom(2000))
    with pytest.raises(DataError, match=f"{name}: cannot be read as "):
        open_archive(tmp_path / name)


def test_a_compressed_tar_is_refused_since_it_has_no_random_access(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "faces.tar", "w:gz") as file:
        file.add(__file__, "x")
    with pytest.raises(DataError, match="uncompressed tar"):
        open_archive(tmp_path / "faces.tar")


def test_a_link_in_a_tar_is_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "faces.tar", "w") as file:
        info = tarfile.TarInfo("x.png")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(info)
    with pytest.raises(DataError, match="no such file"):
        open_archive(tmp_path / "faces.tar").read("x.png")


def test_a_flipped_bit_in_a_zip_is_found(tmp_path: Path) -> None:
    path, data = tmp_path / "faces.zip", png(picture(0))
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("0.png", data)
    whole = bytearray(path.read_bytes())
    whole[whole.index(data) + len(data) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"0\.png: cannot be unpacked: Bad CRC-32"):
        open_archive(path).read("0.png")


@pytest.mark.parametrize("archive", ["tar"], indirect=True)
def test_a_truncated_tar_names_the_member(archive: Path) -> None:
    kept = open_archive(archive)
    os.truncate(archive, 700)
    with pytest.raises(DataError, match=r"in/7\.png: the archive ends in the middle of it"):
        kept.read("in/7.png")


def test_a_member_that_unpacks_to_too_much_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("0.png", bytes(65 * 2**20))
    with pytest.raises(DataError, match="at most 64 MiB are read"):
        open_archive(tmp_path / "bomb.zip").read("0.png")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_may_unpack_to_more_than_it_announces_is_not_unpacked(
    method: int, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", method) as file:
        file.writestr("0.png", bytes(2**20))
    with pytest.raises(DataError, match=r"0\.png: is compressed otherwise than by deflate"):
        open_archive(tmp_path / "bomb.zip").read("0.png")


def test_a_zip_for_programs_to_come_is_named(tmp_path: Path) -> None:
    path = tmp_path / "new.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("0.png", b"")
    whole = bytearray(path.read_bytes())
    whole[whole.index(b"PK\x01\x02") + 6] = 99  # the version that is needed to unpack it
    path.write_bytes(whole)
    with pytest.raises(DataError, match=r"new\.zip: cannot be read as a zip: .*version 9\.9"):
        open_archive(path)


def test_a_tar_that_leads_back_to_its_beginning_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "round.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as file:
        for name in "ab":
            info = tarfile.TarInfo(name)
            info.pax_headers = {"size": "-1536"}
            file.addfile(info)
    with pytest.raises(DataError, match=r"round\.tar: .*do not follow one another|round\.tar: "):
        open_archive(path)


def test_a_tar_of_headers_in_headers_is_refused(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type = tarfile.XHDTYPE
    (tmp_path / "deep.tar").write_bytes(header.tobuf() * 5000)
    with pytest.raises(DataError, match=r"deep\.tar: cannot be read as an uncompressed tar"):
        open_archive(tmp_path / "deep.tar")
