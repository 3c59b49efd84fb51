"""What is told and kept of a run: its journal, its progress, and the tables made of them."""

from paenet.training.records.journal import CHECKPOINT, RECORD, Journal, read_record
from paenet.training.records.literature import published_figures
from paenet.training.records.progress import Live, Reporter, Silent
from paenet.training.records.reporting import report

__all__ = [
    "CHECKPOINT",
    "RECORD",
    "Journal",
    "Live",
    "Reporter",
    "Silent",
    "published_figures",
    "read_record",
    "report",
]
