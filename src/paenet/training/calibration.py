"""Images from which the ranges of activations are taken."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from paenet import packfile
from paenet.datasets import open_examples
from paenet.datasets.sources import Spec
from paenet.training.base import view_of
from paenet.training.examples import decode, spaced
from paenet.training.machine import IMAGES, cache_folder
from paenet.training.recipe import Input


def calibration_images(
    path: str | Path,
    data: Spec,
    *,
    split: str = "train",
    count: int = 256,
    cache: Path | None = None,
) -> Tensor:
    """`(n, 3, size, size)` images as the networks of a pack take them; n is `count` at most.

    Args:
        path: of the pack.
        data: a table, an image folder, or a source as a recipe has it.
        split: of `data`.
        count: they are taken evenly from all of the split.

    Raises:
        RunError: where the file does not say what its networks see.
        PackFileError, DataError: as pack and data have them.
    """
    view = view_of(packfile.describe(path)["about"], path)
    examples = open_examples(data, split)
    examples = examples.select(spaced(len(examples), count))
    found = decode(examples, view, Input(), (cache or cache_folder()) / IMAGES)
    return view.normalise(found.images(slice(None)))
