"""The `.pae` file: a pack that is written whole or not at all, and checked to the last bit."""

from paenet.packfile.accounting import Account, TaskAccount, accounting
from paenet.packfile.checking import Report, check
from paenet.packfile.container import FORMAT
from paenet.packfile.errors import CodeNeededError, PackFileError, PackFileWarning
from paenet.packfile.reading import PackFile, describe, read
from paenet.packfile.schema import BackboneSpec
from paenet.packfile.tensors import Finding
from paenet.packfile.writing import write

__all__ = [
    "FORMAT",
    "Account",
    "BackboneSpec",
    "CodeNeededError",
    "Finding",
    "PackFile",
    "PackFileError",
    "PackFileWarning",
    "Report",
    "TaskAccount",
    "accounting",
    "check",
    "describe",
    "read",
    "write",
]
