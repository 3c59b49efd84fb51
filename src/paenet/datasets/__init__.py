"""Where examples come from: tables, folders, pairs and drawn faces; decoded once and cached."""

from paenet.datasets.augment import Augment, augment
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples, join
from paenet.datasets.folder import read_folder
from paenet.datasets.images import Images
from paenet.datasets.pairs import Pairs, read_pairs
from paenet.datasets.sources import open_examples, origins, split_names
from paenet.datasets.synthetic import EXPRESSIONS, GENDERS, synthetic_faces
from paenet.datasets.table import read_table

__all__ = [
    "EXPRESSIONS",
    "GENDERS",
    "Augment",
    "DataError",
    "Examples",
    "Images",
    "Pairs",
    "augment",
    "join",
    "open_examples",
    "origins",
    "read_folder",
    "read_pairs",
    "read_table",
    "split_names",
    "synthetic_faces",
]
