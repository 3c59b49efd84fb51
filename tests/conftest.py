"""What every test stands on: one thread, one seed, a cache of its own, and perhaps real faces."""

import os

# Before torch is imported, and in the environment, so that processes which a test starts have it
# too: pytest-xdist gives each core a worker, and torch would give each worker all the cores.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")

import random
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import torch

torch.set_num_threads(1)

# The same examples every time, and no deadline: a slow machine is not a broken promise.
# HYPOTHESIS_PROFILE=explore looks for new ones.
hypothesis.settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture(autouse=True)
def seed() -> int:
    """Seeds every global generator, for the initial weights of toy networks."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    return 0


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's cache while a test runs: an empty folder, never the real one."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("PAENET_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real faces and weights: $PAENET_SHARED, or shared/ beside the checkout.

    Tests that use it carry `@pytest.mark.real`; without the folder they are skipped.
    """
    named = os.environ.get("PAENET_SHARED")
    if named is not None:
        folder = Path(named)
        if not (folder / "data").is_dir():
            pytest.fail(f"PAENET_SHARED={named}: no folder data/ in it")
        return folder
    folder = Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"real faces: no {folder}/data; name the folder in PAENET_SHARED")
    return folder
