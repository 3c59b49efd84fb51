"""Small tables, archives and images."""

import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets.pictures import picture, png


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """Writes `labels.csv` and returns its path."""

    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "labels.csv"
        path.write_bytes("\n".join(lines).encode(encoding))
        return path

    return write


@pytest.fixture
def images(tmp_path: Path) -> Callable[[int], list[str]]:
    """Writes `0.png`, `1.png`, ... with `picture(0)`, `picture(1)`, ...; returns their names."""

    def write(count: int) -> list[str]:
        names = [f"{number}.png" for number in range(count)]
        for number, name in enumerate(names):
            (tmp_path / name).write_bytes(png(picture(number)))
        return names

    return write


@pytest.fixture(params=["zip", "tar"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """An archive with eight images, `in/0.png` to `in/7.png`."""
    path = tmp_path / f"faces.{request.param}"
    files = {f"in/{number}.png": png(picture(number)) for number in range(8)}
    if request.param == "zip":
        with zipfile.ZipFile(path, "w") as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
    else:
        with tarfile.open(path, "w") as tarred:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tarred.addfile(info, io.BytesIO(data))
    return path
