"""What the tests of runs share: a table of small pictures, and no waiting for the disk."""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from paenet.training.examples.data import Split
from paenet.training.examples.material import Material
from paenet.training.examples.sources import Source
from tests.training import toys

Measure = Callable[[Callable[[nn.Module], float]], None]


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of small pictures; see `toys.table`."""
    return toys.table(tmp_path_factory.mktemp("faces"))


@pytest.fixture(autouse=True)
def hasty_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing costs most of a toy run, and only a machine that loses power needs it."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(autouse=True, scope="module")
def frozen_garbage() -> None:
    """Every stage of a run ends with a collection, which need not look at all that is imported."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Gives networks an accuracy that is a function of their weights alone."""

    def install(accuracy: Callable[[nn.Module], float]) -> None:
        def measure(
            self: Material, network: nn.Module, split: Split, source: Source | None = None
        ) -> dict[str, Any]:
            return toys.measured(accuracy(network))

        monkeypatch.setattr(Material, "measure", measure)

    return install
