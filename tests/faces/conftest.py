"""Drawn portraits, in which the detector finds one face each, and the detector."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paenet import datasets
from paenet.faces import Detector

SIDE = 160


@pytest.fixture(scope="session")
def detector() -> Detector:
    return Detector()


@pytest.fixture(scope="session")
def portraits() -> list[np.ndarray]:
    """Four portraits, `(160, 160, 3)`, and no one may write to them."""
    drawn = datasets.synthetic_faces(people=4, per_person=1, size=SIDE)
    images = [drawn.read(row) for row in range(4)]
    for image in images:
        image.flags.writeable = False
    return images


@pytest.fixture(scope="session")
def photographs(portraits: list[np.ndarray]) -> list[np.ndarray]:
    """Of three sizes and none, one or two faces."""
    small = np.asarray(Image.fromarray(portraits[2]).resize((120, 120)))
    group = np.full((200, 420, 3), 90, np.uint8)
    group[20:180, 20:180], group[20:180, 230:390] = portraits[0], portraits[1]
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    return [portraits[0], group, noise, small, portraits[3]]


@pytest.fixture
def folder(tmp_path: Path, portraits: list[np.ndarray]) -> Path:
    """Photographs in folders: four with a face, one without, and a file that is no photograph."""
    root = tmp_path / "in"
    for name, pixels in (
        ("ada/1.png", portraits[0]),
        ("ada/2.png", portraits[1]),
        ("bob/deep/1.png", portraits[2]),
        ("bob/2.webp", portraits[3]),
        ("empty.png", np.zeros((40, 40, 3), np.uint8)),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(root / name, lossless=True)
    (root / "notes.txt").write_text("no photograph")
    return root
