"""docs/datasets.md shows what there is, and what it shows can be asked for."""

import re
from pathlib import Path

import pytest
import yaml

from paenet.datasets import PUBLISHED, split_names

DOCS = (Path(__file__).parents[3] / "docs/datasets.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
EXAMPLES = {str(spec): spec for text in YAML if (spec := yaml.safe_load(text)["data"])}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_data_set_is_in_the_table_with_its_labels(name: str) -> None:
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |"))
    for label in PUBLISHED[name].labels:
        assert label in row


@pytest.mark.parametrize("spec", EXAMPLES.values(), ids=str)
def test_every_example_is_one_that_a_recipe_may_have(spec: dict[str, object]) -> None:
    assert split_names(spec)  # refuses an unknown data set and an unknown option


def test_every_data_set_but_the_one_for_testing_has_an_example() -> None:
    assert {spec["dataset"] for spec in EXAMPLES.values()} == PUBLISHED.keys() - {"lfw"}


def test_every_option_is_told() -> None:
    for entry in PUBLISHED.values():
        for option in entry.options:
            assert f"`{option}" in DOCS or f"{option}: " in DOCS
