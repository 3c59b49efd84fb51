"""A run of toys to be measured."""

from pathlib import Path

import yaml

from paenet import training
from tests.training import toys


def toy_run(names: tuple[str, ...], faces: Path, folder: Path) -> tuple[Path, Path]:
    """Learns tasks of these names on a small network; returns the run's directory and recipe."""
    document = toys.document(
        *(toys.task(name, faces) for name in names), backbone="small", input={"size": 32}
    )
    recipe = folder / "toy.yaml"
    recipe.write_text(yaml.safe_dump(document))
    training.run(training.load_recipe(recipe), folder / "run", cache=folder / "cache")
    return folder / "run", recipe
