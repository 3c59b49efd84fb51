"""What the tests of runs share: a table of small pictures, and no waiting for the disk."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training import toys


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of small pictures; see `toys.table`."""
    return toys.table(tmp_path_factory.mktemp("faces"))


@pytest.fixture(autouse=True)
def hasty_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing costs most of a toy run, and only a machine that loses power needs it."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True, scope="session")
def frozen_garbage() -> Iterator[None]:
    """Every stage of a run ends with a collection, which need not look at all of torch."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
