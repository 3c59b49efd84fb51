"""The whole story on built-in synthetic faces, in minutes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import yaml

from paenet.training.recipe import Recipe, parse_recipe
from paenet.training.records import Reporter
from paenet.training.run import run


def quickstart_recipe() -> Recipe:
    """The recipe of the quickstart: four tasks on drawn faces, in a small network."""
    text = files("paenet.training").joinpath("quickstart.yaml").read_text(encoding="utf-8")
    return parse_recipe(yaml.safe_load(text), name="quickstart.yaml")


def quickstart(
    folder: str | Path, *, limit: int | None = None, reporter: Reporter | None = None
) -> Path:
    """Learns identity, gender, age and expression on synthetic faces; returns the pack's path.

    Args:
        folder: the run's directory; a run that was stopped goes on.
        limit: as for `run`.
    """
    return run(quickstart_recipe(), folder, limit=limit, reporter=reporter)
