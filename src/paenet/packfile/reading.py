"""From a file to a pack."""

import warnings
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from torch import Tensor, nn

from paenet.collecting import no_collections
from paenet.errors import PaenetError
from paenet.packfile import container
from paenet.packfile import tensors as named
from paenet.packfile.decoding import Contents, contents
from paenet.packfile.errors import PackFileError, PackFileWarning, naming
from paenet.packfile.materializing import materialize
from paenet.packfile.restoring import restore
from paenet.packfile.schema import BackboneSpec, parse, unknown_keys
from paenet.packing import Pack
from paenet.packing.widening import Builder

T = TypeVar("T")


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
    fingerprints too).

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
    with naming(path), container.opened(path) as archive:
        held = understood(archive, path)
        pack = restore(held, sound(held), backbone, heads or {})
    return PackFile(pack, held.document.spec, held.document.about)


def load(
    path: str | Path,
    tasks: str | Collection[str] | None = None,
    *,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
    share_stems: bool = False,
) -> dict[str, nn.Sequential]:
    """The networks of some tasks as plain modules, in evaluation mode; see `Pack.materialize`.

    Reads what these tasks need and nothing else, one layer after the other: memory use peaks
    at little more than what is returned.

    Args:
        path, backbone, heads: as for `read`.
        tasks: their names, or one name; all by default.
        share_stems: let a task's stem be the first task's own modules, where that one is loaded
            too: less memory and time, for networks that are neither trained nor moved.

    Raises:
        PackFileError: as `read`, and where there is no such task.
    """
    path = Path(path)
    with naming(path), container.opened(path) as archive, no_collections():
        return materialize(understood(archive, path), tasks, backbone, heads or {}, share_stems)


def describe(path: str | Path) -> dict[str, Any]:
    """The file's metadata, from its first bytes: cheap, and nothing but its form is checked.

    Returns:
        JSON types, as `docs/format.md` has them.

    Raises:
        PackFileError: as `read`, for what the head of the file can tell.
    """
    path = Path(path)
    with naming(path), container.opened(path) as archive:
        parse(archive.document)
        return archive.document


def unchanged(path: str | Path, take: Callable[[dict[str, Any]], T]) -> T:
    """What is taken of a file that has to be opened several times, all of it from one file.

    Another process may put a new pack in the file's place at any time; it is then taken again.

    Args:
        path: of the file.
        take: given what `describe` returns.

    Raises:
        PackFileError: as `describe`; and whatever `take` raises of a file that stayed as it was.
    """
    while True:
        document = describe(path)
        try:
            taken = take(document)
        except PaenetError:
            if _is(path, document):
                raise
        else:
            if _is(path, document):
                return taken


def _is(path: str | Path, document: Mapping[str, Any]) -> bool:
    return bool(describe(path)["sha256"] == document["sha256"])


def understood(archive: container.Archive, path: Path) -> Contents:
    """What is in an open file; keys of newer minor versions are warned of.

    Raises:
        PackFileError: where the document, or the list of streams, is not as it must be.
    """
    document = parse(archive.document)
    unknown = list(unknown_keys(document))
    if unknown:
        warnings.warn(
            f"{path}: format {archive.document['format']} has keys that this paenet does not "
            f"know: {', '.join(unknown)}; they are passed over, and lost if the pack is written "
            "again",
            PackFileWarning,
            stacklevel=3,
        )
    return contents(archive, document)


def sound(held: Contents) -> dict[str, Tensor]:
    """Every tensor of a file, none of which breaks a law that can be seen in it alone.

    Raises:
        PackFileError: names the first that does.
    """
    tensors = held.everything()
    for finding in named.infinite(tensors):
        raise PackFileError(finding.message)
    return tensors
