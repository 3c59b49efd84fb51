"""Where examples come from: tables, folders, pairs and drawn faces; decoded once and cached."""

from paenet.datasets.augment import Augment, augment
from paenet.datasets.errors import DataError
from paenet.datasets.examples import Examples, join
from paenet.datasets.folder import read_folder
from paenet.datasets.images import Images
from paenet.datasets.pairs import Pairs, read_pairs
from paenet.datasets.published import PUBLISHED, Published, published, read_published, survey
from paenet.datasets.skipped import Skipped
from paenet.datasets.sources import PLACES, open_examples, origins, pairs_at, split_names
from paenet.datasets.synthetic import EXPRESSIONS, GENDERS, synthetic_faces
from paenet.datasets.table import read_table

__all__ = [
    "EXPRESSIONS",
    "GENDERS",
    "PLACES",
    "PUBLISHED",
    "Augment",
    "DataError",
    "Examples",
    "Images",
    "Pairs",
    "Published",
    "Skipped",
    "augment",
    "join",
    "open_examples",
    "origins",
    "pairs_at",
    "published",
    "read_folder",
    "read_pairs",
    "read_published",
    "read_table",
    "split_names",
    "survey",
    "synthetic_faces",
]
