"""`pae` in this process, as a shell would see it."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from paenet import training
from paenet.cli import main
from tests.training import toys
from tests.training.conftest import faces, frozen_garbage, hasty_disk

__all__ = ["faces", "frozen_garbage", "hasty_disk"]


@dataclass(frozen=True)
class Done:
    """How a command ended: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


Pae = Callable[..., Done]


@pytest.fixture
def pae(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Pae:
    """Runs `pae` with some arguments."""
    monkeypatch.setenv("PAENET_DEBUG", "")  # taken back after the test, whatever --debug sets
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str | Path) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["pae", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return Done(int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture
def pack(pae: Pae, tmp_path: Path) -> Path:
    """A pack file with a dense base, half of it free."""
    path = tmp_path / "pack.pae"
    done = pae("init", path, "--backbone", toys.BACKBONE, "--release", "0.5")
    assert done.code == 0, done.err
    return path


@pytest.fixture(scope="module")
def learnt(faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack of a task that was learnt; no test changes it."""
    folder = tmp_path_factory.mktemp("learnt")
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(toys.document(toys.task("shade", faces))))
    return training.run(training.load_recipe(path), folder / "run", cache=folder / "cache")
