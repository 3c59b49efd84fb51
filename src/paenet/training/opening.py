"""Packs whose backbone is the user's own code, which a file names but never runs."""

from __future__ import annotations

from pathlib import Path

from paenet import backbones, packfile
from paenet.packing.widening import Builder, Width


def own_builder(path: str | Path, name: str | None) -> Builder | None:
    """The builder that the user names for a pack file; None leaves it to the file.

    Args:
        path: of the pack, whose metadata says with which arguments.
        name: `module:callable`, from the user's own hand.

    Raises:
        BackboneError: where there is no such function.
    """
    if name is None:
        return None
    arguments = packfile.describe(path)["backbone"]["arguments"]
    backbones.info(name)

    def build(width: Width) -> object:
        return backbones.create(name, width=width, **arguments)

    return build  # type: ignore[return-value]
