"""Backbones of the user's own: code that a file names, and that runs from the user's hand alone."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from paenet import backbones
from paenet.packfile.reading import describe
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
    arguments = describe(path)["backbone"]["arguments"]
    backbones.info(name)

    def build(width: Width) -> nn.Module:
        return backbones.create(name, width=width, **arguments)

    return build
