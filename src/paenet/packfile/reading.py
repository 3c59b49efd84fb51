"""From a file to a pack."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from paenet.packfile import container
from paenet.packfile import tensors as named
from paenet.packfile.errors import PackFileError, PackFileWarning, naming
from paenet.packfile.restoring import restore
from paenet.packfile.schema import BackboneSpec, Document, parse, unknown_keys
from paenet.packing import Pack
from paenet.packing.widening import Builder


@dataclass(frozen=True, slots=True)
class PackFile:
    """What a file holds.

    Attributes:
        pack: the tasks, ready to be used, and to learn more.
        spec: the backbone, for `write`.
        about: what was kept beside the tasks, for `write`.
    """

    pack: Pack
    spec: BackboneSpec
    about: dict[str, Any]


def read(
    path: str | Path,
    *,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> PackFile:
    """Reads a pack; nothing that the file says makes any code run but paenet's own.

    Every bit is checked, and every law that can be seen without computing (`check` verifies the
    fingerprints too). Memory use peaks at about twice the file's size.

    Args:
        path: of the file.
        backbone: the network or its builder, where the file names one that is not paenet's own.
        heads: per task, a module to hold its head's values, where the head is made of more than
            the layers that a file can describe.

    Raises:
        PackFileError: names the file, what is wrong with it and what to do.

    Warns:
        PackFileWarning: where a newer version wrote keys that this one passes over.
    """
    path = Path(path)
    with naming(path):
        document, tensors = decode(container.read_bytes(path), path)
        for finding in named.broken(document, tensors):
            raise PackFileError(finding.message)
        pack = restore(document, tensors, backbone, heads or {})
    return PackFile(pack, document.spec, document.about)


def describe(path: str | Path) -> dict[str, Any]:
    """The file's metadata, from its first bytes: cheap, and nothing but its form is checked.

    Returns:
        JSON types, as `docs/format.md` has them.

    Raises:
        PackFileError: as `read`, for what the head of the file can tell.
    """
    path = Path(path)
    with naming(path):
        raw = container.load_document(path)
        parse(raw)
    return raw


def decode(data: bytes, path: Path) -> tuple[Document, dict[str, Tensor]]:
    """The document and the tensors of a file, not yet held against each other."""
    raw, tensors = container.decode(data)
    document = parse(raw)
    unknown = list(unknown_keys(document))
    if unknown:
        warnings.warn(
            f"{path}: format {raw['format']} has keys that this paenet does not know: "
            f"{', '.join(unknown)}; they are passed over, and lost if the pack is written again",
            PackFileWarning,
            stacklevel=3,
        )
    return document, tensors
