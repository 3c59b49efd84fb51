"""A deterministic renderer of parametric faces. Nobody on these pictures exists."""

from paenet.datasets.synthetic.examples import synthetic_faces, synthetic_splits
from paenet.datasets.synthetic.expression import EXPRESSIONS
from paenet.datasets.synthetic.person import GENDERS

__all__ = ["EXPRESSIONS", "GENDERS", "synthetic_faces", "synthetic_splits"]
