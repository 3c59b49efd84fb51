"""What a task is learnt from and judged on: images, or what a stem has made of them."""

from paenet.training.examples.activations import Keeper, gigabytes, size_of
from paenet.training.examples.data import (
    Progress,
    Split,
    View,
    decode,
    encode,
    open_split,
    place,
    spaced,
    split_examples,
)
from paenet.training.examples.evaluate import output_digest, predict
from paenet.training.examples.material import (
    SPLITS,
    Material,
    make_task,
    metric_as_json,
    open_material,
    open_pairs,
)
from paenet.training.examples.sources import ActivationSource, ImageSource, Source

__all__ = [
    "SPLITS",
    "ActivationSource",
    "ImageSource",
    "Keeper",
    "Material",
    "Progress",
    "Source",
    "Split",
    "View",
    "decode",
    "encode",
    "gigabytes",
    "make_task",
    "metric_as_json",
    "open_material",
    "open_pairs",
    "open_split",
    "output_digest",
    "place",
    "predict",
    "size_of",
    "spaced",
    "split_examples",
]
