"""docs/datasets.md shows what there is, and what it shows can be asked for."""

import re
from pathlib import Path

import pytest
import yaml

from paenet.datasets import PUBLISHED, split_names

DOCS = (Path(__file__).parents[3] / "docs/datasets.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", DOCS, re.DOTALL)
LINES = [line for text in YAML for line in text.splitlines() if line.startswith("data: ")]
EXAMPLES = {line: yaml.safe_load(line)["data"] for line in LINES}


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_data_set_is_in_the_table_with_its_labels(name: str) -> None:
    row = next(line for line in DOCS.splitlines() if line.startswith(f"| `{name}` |"))
    for label in PUBLISHED[name].labels:
        assert label in row


@pytest.mark.parametrize("line", EXAMPLES)
def test_every_example_is_one_that_a_recipe_may_have(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("faces", "more"):
        (tmp_path / folder / "female").mkdir(parents=True)
        (tmp_path / folder / "female" / "a.jpg").touch()
    (tmp_path / "faces" / "labels.csv").write_text("path,split\nfemale/a.jpg,train\n")
    assert split_names(EXAMPLES[line])  # refuses an unknown data set and an unknown option


def test_every_data_set_but_the_one_for_testing_has_an_example() -> None:
    specs = [spec for spec in EXAMPLES.values() if isinstance(spec, dict)]
    shown = {spec["dataset"] for spec in specs if "dataset" in spec}
    assert shown == PUBLISHED.keys() - {"lfw"}


@pytest.mark.parametrize("kind", ["table", "folder", "dataset", "synthetic"])
def test_every_source_is_told_and_has_an_example(kind: str) -> None:
    assert f"| `{kind}` |" in DOCS
    assert any(line.startswith(f"data: {{{kind}: ") for line in EXAMPLES)


def test_every_option_is_told() -> None:
    for entry in PUBLISHED.values():
        for option in entry.options:
            assert f"`{option}" in DOCS or f"{option}: " in DOCS
