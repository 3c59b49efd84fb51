"""Real photographs: the detector is MTCNN's, and what it moves FaceNet does not notice."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.alignment import BOX, measure
from paenet import datasets
from paenet.faces import Detector, crop
from paenet.faces.networks import load_networks
from tests.faces import plain_mtcnn
from tests.faces.test_detector import assert_same

pytestmark = pytest.mark.real
ROOT = Path(__file__).parents[2]


@pytest.fixture
def photographs(real_data: Path) -> datasets.Examples:
    return datasets.read_table(real_data / "data" / "lfw" / "photographs.csv")


def test_faces_are_those_of_plain_mtcnn(photographs: datasets.Examples, detector: Detector) -> None:
    images = [photographs.read(row) for row in range(0, len(photographs), 40)]
    networks = load_networks()
    for faces, image in zip(detector.detect(images), images, strict=True):
        assert_same(faces, plain_mtcnn.detect(networks, image))


def test_crops_are_those_of_facenets_evaluation(
    photographs: datasets.Examples, real_data: Path
) -> None:
    cut = datasets.read_pairs(real_data / "data" / "lfw" / "pairs.csv").examples
    names = {Path(path).name: row for row, path in enumerate(cut.paths)}
    boxes = np.array([photographs.columns[name] for name in BOX], float).T
    for row in range(0, len(photographs), 40):
        published = cut.read(names[Path(photographs.paths[row]).name]).astype(float)
        # Both were compressed, each on its own.
        assert abs(crop(photographs.read(row), boxes[row]) - published).mean() < 6


@pytest.mark.slow
def test_faces_are_as_near_as_compression_allows_and_facenet_decides_alike(
    real_data: Path,
) -> None:
    weights = real_data / "weights" / "facenet_vggface2_512.safetensors"
    figures = measure(real_data / "data" / "lfw", weights, step=6)
    assert figures["pairs"] == 50
    assert figures["decisions_that_differ"] == 0
    _are_near(figures)


def test_so_were_those_of_all_photographs() -> None:
    figures = json.loads((ROOT / "docs" / "results" / "alignment.json").read_text())
    assert figures["photographs"] == 470
    assert figures["pairs"] == 300
    assert figures["decisions_that_differ"] <= 2
    _are_near(figures)


def _are_near(figures: dict[str, Any]) -> None:
    assert figures["found"] == figures["photographs"]
    # The photographs are compressed copies. Between a copy and its copy MTCNN itself moves a
    # third of the boxes by more than two pixels: the same detector cannot be expected nearer.
    found, yardstick = figures["reference"], figures["compressed"]
    for share in ("boxes_near", "landmarks_near", "overlap_above_0.8"):
        assert found[share] > yardstick[share] - 0.1, share
    assert found["box_bias_pixels"] < 0.5
    assert found["landmarks_bias_pixels"] < 0.5
