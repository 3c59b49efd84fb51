"""docs/results.md: made from records, and what is committed is what the command makes."""

import json
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.page import page
from paenet import training

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of two tiny tasks on synthetic faces."""

    def task(name: str, classes: list[str]) -> dict[str, object]:
        return {
            "name": name,
            "kind": "classification",
            "settings": {"classes": classes},
            "data": {"synthetic": {"people": 4, "per_person": 4}},
            "goal": {"within": 1.0},
            "budget": {"epochs": 1, "batch": 8},
            "prune": {"to": 0.5, "stages": 1, "epochs": 1},
        }

    expressions = ["anger", "disgust", "fear", "happy", "neutral", "sad", "surprise"]
    recipe = training.parse_recipe(
        {
            "backbone": "small",
            "input": {"size": 32},
            "tasks": [task("gender", ["female", "male"]), task("expression", expressions)],
        }
    )
    training.run(recipe, tmp_path / "run")
    return tmp_path / "run"


def test_a_page_tells_what_is_on_record(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    results.collect(folder, command="pae run toy.yaml", name="toy")
    document = json.loads((tmp_path / "results" / "toy.json").read_text())
    text = page({"toy": document})
    learnt = {e["key"]: e for e in training.read_record(folder) if e["key"].endswith("/learnt")}
    for name in ("gender", "expression"):
        entry = learnt[f"{name}/learnt"]
        assert entry["tasks"][name]["fingerprint"][:16] in text
        assert f"{100 * entry['test']['accuracy']['value']:.1f} %" in text
    assert f"{document['accounting']['of_separate']:.1%}" in text
    assert "CHANGED" not in text
    assert str(tmp_path) not in json.dumps(document)


def test_the_committed_page_is_what_its_json_files_make() -> None:
    documents = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "docs" / "results").glob("*.json"))
    }
    assert documents
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == page(documents)
