"""Many tasks in one network, added one by one, none ever changed: the core, for any loop."""

from paenet.packing.errors import PackingError
from paenet.packing.fingerprint import fingerprint_of
from paenet.packing.gradual import prune_gradually
from paenet.packing.learner import Learner
from paenet.packing.methods import METHODS, Method, method
from paenet.packing.owned import constants_in, scores_of
from paenet.packing.pack import Pack
from paenet.packing.parts import PackedLayer, PackedTask, PackWidth
from paenet.packing.pruning import Schedule, Trial, largest_held, next_share
from paenet.packing.seeding import seeded
from paenet.packing.stems import Split, Stem, Traced, segments, splits, work_of
from paenet.packing.values import GRIDS, NATIVE
from paenet.packing.widths import weights_at, width_above, width_for

__all__ = [
    "GRIDS",
    "METHODS",
    "NATIVE",
    "Learner",
    "Method",
    "Pack",
    "PackWidth",
    "PackedLayer",
    "PackedTask",
    "PackingError",
    "Schedule",
    "Split",
    "Stem",
    "Traced",
    "Trial",
    "constants_in",
    "fingerprint_of",
    "largest_held",
    "method",
    "next_share",
    "prune_gradually",
    "scores_of",
    "seeded",
    "segments",
    "splits",
    "weights_at",
    "width_above",
    "width_for",
    "work_of",
]
