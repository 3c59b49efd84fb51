"""MTCNN written down plainly, image by image and box by box, to hold the batched one against."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from paenet.faces import Faces
from paenet.faces.networks import Mtcnn


def suppress(boxes: np.ndarray, scores: np.ndarray, threshold: float, edge: int = 0) -> list[int]:
    """Greedy, one box after the other; with edge 1 by the smaller area."""
    sides = boxes[:, 2:] - boxes[:, :2] + edge
    areas = sides[:, 0] * sides[:, 1]
    left = list(np.argsort(-scores, kind="stable"))
    kept = []
    while left:
        best = left.pop(0)
        kept.append(int(best))
        low = np.maximum(boxes[left, :2], boxes[best, :2])
        high = np.minimum(boxes[left, 2:], boxes[best, 2:])
        shared = np.maximum(high - low + edge, 0).prod(1)
        others = areas[left]
        total = np.minimum(others, areas[best]) if edge else others + areas[best] - shared
        left = [
            row
            for row, s, t in zip(left, shared, total, strict=True)
            if not (t and s / t > threshold)
        ]
    return kept


@torch.inference_mode()
def detect(networks: Mtcnn, image: np.ndarray) -> Faces:
    """The faces of one image with the default settings."""
    pixels = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float()
    height, width = pixels.shape[2:]
    boxes, scores, shifts = [], [], []
    scale = 12 / 20
    while min(height, width) * scale >= 12:
        size = (int(height * scale + 1), int(width * scale + 1))
        chance, shift = networks.pnet((interpolate(pixels, size, mode="area") - 127.5) / 128)
        rows, columns = np.nonzero(chance[0].numpy() >= 0.6)
        if len(rows):
            corner = torch.tensor(np.stack((columns, rows), 1) * 2 + 1).float()
            found = torch.cat((corner / scale, (corner + 11) / scale), 1).floor()
            belief = chance[0][rows, columns]
            kept = suppress(found.numpy(), belief.numpy(), 0.5)
            boxes.append(found[kept])
            scores.append(belief[kept])
            shifts.append(shift[0][:, rows, columns].T[kept])
        scale *= 0.709
    if not boxes:
        return nothing()
    box, score, shift = torch.cat(boxes), torch.cat(scores), torch.cat(shifts)
    kept = suppress(box.numpy(), score.numpy(), 0.7)
    box = square(moved(box[kept], shift[kept], 0))

    if len(box) == 0:
        return nothing()
    score, shift = networks.rnet(windows(pixels, box, 24))
    sure = score > 0.7
    box, score, shift = box[sure], score[sure], shift[sure]
    kept = suppress(box.numpy(), score.numpy(), 0.7)
    box = square(moved(box[kept], shift[kept], 1))

    if len(box) == 0:
        return nothing()
    score, shift, points = networks.onet(windows(pixels, box, 48))
    sure = score > 0.7
    box, score, shift, points = box[sure], score[sure], shift[sure], points[sure]
    points = points * (box[:, 2:] - box[:, :2] + 1)[:, None] + box[:, None, :2] - 1
    box = moved(box, shift, 1)
    kept = suppress(box.numpy(), score.numpy(), 0.7, edge=1)
    return Faces(box[kept].numpy(), score[kept].numpy(), points[kept].numpy())


def nothing() -> Faces:
    return Faces(*(np.zeros(shape, np.float32) for shape in ((0, 4), (0,), (0, 5, 2))))


def moved(boxes: Tensor, shifts: Tensor, edge: int) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2] + edge
    return boxes + shifts * torch.cat((sides, sides), 1)


def square(boxes: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    longer = sides.amax(1)[:, None]
    corner = boxes[:, :2] + sides * 0.5 - longer * 0.5
    return torch.cat((corner, corner + longer), 1)


def windows(pixels: Tensor, boxes: Tensor, size: int) -> Tensor:
    height, width = pixels.shape[2:]
    cut = []
    for x1, y1, x2, y2 in boxes.trunc().int().tolist():
        area = pixels[:, :, max(y1, 1) - 1 : min(y2, height), max(x1, 1) - 1 : min(x2, width)]
        cut.append(interpolate(area, (size, size), mode="area"))
    return (torch.cat(cut) - 127.5) / 128
