"""What a task is: head, loss, target and metric. Knows no packs, no files and no screens."""

from paenet.tasks.ages import ADIENCE, expected_years, group_probabilities, parse_span
from paenet.tasks.base import Metric, Task
from paenet.tasks.classification import Classification
from paenet.tasks.errors import TaskError
from paenet.tasks.identity import Identity
from paenet.tasks.intervals import bootstrap, over_folds, wilson
from paenet.tasks.ordinal import Ordinal
from paenet.tasks.registry import KINDS, create
from paenet.tasks.verification import (
    DrawnPairs,
    Verification,
    average_flipped,
    check_folds,
    draw_pairs,
    verify,
)

__all__ = [
    "ADIENCE",
    "KINDS",
    "Classification",
    "DrawnPairs",
    "Identity",
    "Metric",
    "Ordinal",
    "Task",
    "TaskError",
    "Verification",
    "average_flipped",
    "bootstrap",
    "check_folds",
    "create",
    "draw_pairs",
    "expected_years",
    "group_probabilities",
    "over_folds",
    "parse_span",
    "verify",
    "wilson",
]
