"""The `.pae` file: a pack that is written whole or not at all, and checked to the last bit."""

from paenet.packfile.accounting import Account, TaskAccount, accounting
from paenet.packfile.checking import Report, check
from paenet.packfile.container import FORMAT
from paenet.packfile.errors import CodeNeededError, PackFileError, PackFileWarning
from paenet.packfile.extracting import extract
from paenet.packfile.ledger import Ledger, TaskBytes, ledger
from paenet.packfile.merging import merge
from paenet.packfile.own_code import own_builder
from paenet.packfile.reading import PackFile, describe, load, read, unchanged
from paenet.packfile.schema import BackboneSpec
from paenet.packfile.tensors import Finding
from paenet.packfile.writing import write

__all__ = [
    "FORMAT",
    "Account",
    "BackboneSpec",
    "CodeNeededError",
    "Finding",
    "Ledger",
    "PackFile",
    "PackFileError",
    "PackFileWarning",
    "Report",
    "TaskAccount",
    "TaskBytes",
    "accounting",
    "check",
    "describe",
    "extract",
    "ledger",
    "load",
    "merge",
    "own_builder",
    "read",
    "unchanged",
    "write",
]
