"""What is told and kept of a run: its progress, and its journal."""

from paenet.training.records.journal import CHECKPOINT, RECORD, Journal, read_record
from paenet.training.records.progress import Live, Reporter, Silent

__all__ = [
    "CHECKPOINT",
    "RECORD",
    "Journal",
    "Live",
    "Reporter",
    "Silent",
    "read_record",
]
