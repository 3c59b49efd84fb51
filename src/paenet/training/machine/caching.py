"""What runs keep in the user's cache: all of it can be made again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from paenet.errors import suggest
from paenet.training.errors import RunError
from paenet.training.machine.environment import cache_folder

IMAGES, ACTIVATIONS, REFERENCES = "images", "activations", "references"
KINDS = {
    IMAGES: "decoded images",
    ACTIVATIONS: "what stems made of images",
    REFERENCES: "figures of the networks that goals are measured against",
}
"""The folders of the cache, and what is in them."""


def cache_sizes(folder: Path | None = None) -> dict[str, int]:
    """Bytes that each kind takes in the cache.

    Args:
        folder: of the cache; the user's by default.
    """
    folder = folder or cache_folder()
    # `walk` passes over folders that another process removes meanwhile; a glob does not.
    return {
        kind: sum(
            _size(os.path.join(parent, name))
            for parent, _, names in os.walk(folder / kind)
            for name in names
        )
        for kind in KINDS
    }


def _size(path: str) -> int:
    """Bytes of a file; none where a run has renamed or removed it since it was listed."""
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


def clear_cache(kinds: Sequence[str] = (), folder: Path | None = None) -> dict[str, int]:
    """Removes what runs keep; the next run that needs it makes it again.

    Args:
        kinds: of `KINDS`; none takes all.
        folder: of the cache; the user's by default.

    Returns:
        Bytes freed, by kind.

    Raises:
        RunError: where there is no such kind, or a folder cannot be removed.
    """
    folder = folder or cache_folder()
    for kind in kinds:
        if kind not in KINDS:
            raise RunError(f"the cache keeps no {kind!r}{suggest(kind, KINDS)}")
    sizes = cache_sizes(folder)
    for kind in kinds or KINDS:
        try:
            if (folder / kind).exists():
                shutil.rmtree(folder / kind)
        except OSError as error:
            raise RunError(
                f"{error.filename or folder / kind}: {error.strerror or error}"
            ) from None
    return {kind: size for kind, size in sizes.items() if kind in (kinds or KINDS)}
