"""How near `paenet.faces` comes to boxes and landmarks that facenet-pytorch found in LFW.

    python -m benchmarks.alignment LFW WEIGHTS

writes docs/results/alignment.json. LFW, a folder, has photographs.csv (boxes and landmarks) and
photograph_pairs.csv; WEIGHTS are those of a dense FaceNet, which decides the pairs.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from PIL import Image

from benchmarks.recording import record
from paenet import backbones, datasets
from paenet.faces import Detector, Faces, choose, crop
from paenet.faces.record import LANDMARKS
from paenet.tasks.verification import best_threshold

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]

BOX = ("left", "top", "right", "bottom")
POINTS = tuple(f"{name}_{axis}" for name in LANDMARKS for axis in "xy")
NEAR = 2.0  # pixels
QUALITY = 85  # of WebP, at which files are as large as those of the photographs at hand


def measure(lfw: Path, weights: Path, step: int = 1) -> dict[str, Any]:
    """Everything that goes on record, but for command and versions.

    Args:
        lfw, weights: as on the command line.
        step: of the pairs that are tested; with more than 1, their photographs alone.
    """
    table = datasets.read_table(lfw / "photographs.csv")
    tested = _every(step, datasets.read_pairs(lfw / "photograph_pairs.csv"))
    if step > 1:
        table = table.select(sorted(map(table.paths.index, tested.examples.paths)))
    photographs = [table.read(row) for row in range(len(table))]
    box = np.array([table.columns[name] for name in BOX], float).T
    points = np.array([table.columns[name] for name in POINTS], float).T.reshape(-1, 5, 2)
    detector = Detector()
    found = _central(detector, photographs)
    again = _central(detector, [_compressed(pixels) for pixels in photographs])
    return {
        "photographs": len(photographs),
        "found": sum(len(faces) for faces in found),
        "near_pixels": NEAR,
        "reference": _distances(found, box, points),
        "compressed_quality": QUALITY,
        "compressed": _distances(again, *_known(found)),
        **_decisions(tested, weights, table.paths, photographs, found, box),
    }


def _every(step: int, pairs: datasets.Pairs) -> datasets.Pairs:
    a, b = pairs.a[::step], pairs.b[::step]
    used = np.union1d(a, b)
    return datasets.Pairs(
        pairs.examples.select(used),
        np.searchsorted(used, a),
        np.searchsorted(used, b),
        pairs.same[::step],
        pairs.fold[::step],
    )


def _central(detector: Detector, photographs: list[Pixels]) -> list[Faces]:
    return [
        choose(faces, *pixels.shape[:2])
        for faces, pixels in zip(detector.detect(photographs), photographs, strict=True)
    ]


def _compressed(pixels: Pixels) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY)
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def _known(found: list[Faces]) -> tuple[Floats, Floats]:
    """Boxes and landmarks of the one face of each photograph; not a number where there is none."""
    box = np.full((len(found), 4), np.nan)
    points = np.full((len(found), 5, 2), np.nan)
    for row, faces in enumerate(found):
        if len(faces):
            box[row], points[row] = faces.boxes[0], faces.landmarks[0]
    return box, points


def _distances(found: list[Faces], box: Floats, points: Floats) -> dict[str, float]:
    """How far faces are from others; one that was not found is near nothing."""
    own_box, own_points = _known(found)
    edges = abs(own_box - box).max(1)
    corners = abs(own_points - points).max((1, 2))
    overlap = _overlap(own_box, box)
    return {
        "boxes_near": float((edges <= NEAR).mean()),
        "landmarks_near": float((corners <= NEAR).mean()),
        "box_median_pixels": float(np.nanmedian(edges)),
        "landmarks_median_pixels": float(np.nanmedian(corners)),
        "box_bias_pixels": float(abs(np.nanmean(own_box - box, 0)).max()),
        "landmarks_bias_pixels": float(abs(np.nanmean(own_points - points, 0)).max()),
        "overlap_mean": float(np.nanmean(overlap)),
        "overlap_above_0.8": float((overlap > 0.8).mean()),
    }


def _overlap(first: Floats, second: Floats) -> Floats:
    """Intersection over union, row by row."""
    low, high = np.maximum(first[:, :2], second[:, :2]), np.minimum(first[:, 2:], second[:, 2:])
    shared = (high - low).clip(0).prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).prod(1) for boxes in (first, second)]
    return shared / (areas[0] + areas[1] - shared)


def _decisions(
    pairs: datasets.Pairs,
    weights: Path,
    paths: Sequence[str],
    photographs: list[Pixels],
    found: list[Faces],
    box: Floats,
) -> dict[str, Any]:
    """What FaceNet says of pairs, cut by either boxes, at one threshold."""
    rows = [paths.index(path) for path in pairs.examples.paths]
    # Where no face was found, the whole photograph stands for it, as good as wrong.
    whole = [(0, 0, pixels.shape[1], pixels.shape[0]) for pixels in photographs]
    own = [faces.boxes[0] if len(faces) else all_ for faces, all_ in zip(found, whole, strict=True)]
    network = backbones.create("inception-resnet-v1")
    backbones.load_weights(weights, network)
    network.eval()
    embeddings = [
        _embed(network, np.stack([crop(photographs[row], boxes[row]) for row in rows]))
        for boxes in (box, own)
    ]
    by_reference, by_own = ((e[pairs.a] * e[pairs.b]).sum(1) for e in embeddings)
    # Chosen on these very pairs: it compares two ways of cutting, and judges neither.
    threshold = best_threshold(by_reference, pairs.same)
    agrees = (by_reference > threshold) == (by_own > threshold)
    return {
        "pairs": len(pairs),
        "threshold": threshold,
        "decisions_that_differ": int((~agrees).sum()),
        "right_by_reference": int(((by_reference > threshold) == pairs.same).sum()),
        "right_by_own": int(((by_own > threshold) == pairs.same).sum()),
        "cosine_difference_mean": float(abs(by_reference - by_own).mean()),
    }


@torch.inference_mode()
def _embed(network: torch.nn.Module, faces: Pixels) -> Floats:
    """`(N, 512)` of unit length."""
    images = torch.from_numpy(faces).permute(0, 3, 1, 2)
    parts = [network((part.float() - 127.5) / 128) for part in images.split(32)]
    return torch.nn.functional.normalize(torch.cat(parts)).double().numpy()


def main(
    lfw: Annotated[Path, typer.Argument(help="The folder with photographs.csv.")],
    weights: Annotated[Path, typer.Argument(help="FaceNet's.")],
) -> None:
    """Measures and writes docs/results/alignment.json."""
    record("alignment", "benchmarks.alignment", measure(lfw, weights))


if __name__ == "__main__":
    typer.run(main)
