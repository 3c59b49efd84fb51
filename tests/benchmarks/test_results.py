"""docs/results.md: made from records, and what is committed is what the command makes."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import results
from benchmarks.beside import beside
from benchmarks.page import page
from benchmarks.plot import plot
from paenet import training
from tests.training.comparison.reports import report_of

ROOT = Path(__file__).resolve().parents[2]


def recipe(stem: str = "none") -> training.Recipe:
    """Two tiny tasks on synthetic faces."""

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
    return training.parse_recipe(
        {
            "backbone": "small",
            "input": {"size": 32},
            "tasks": [
                task("gender", ["female", "male"]),
                task("expression", expressions) | {"stem": stem},
            ],
        }
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run of them."""
    training.run(recipe("stage2"), tmp_path / "run")
    return tmp_path / "run"


def test_a_page_tells_what_is_on_record(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    results.collect(folder, command="pae run toy.yaml", name="toy", remark="In two pieces.")
    document = json.loads((tmp_path / "results" / "toy.json").read_text())
    text = page({"toy": document})
    assert text.endswith("*Remark.* In two pieces.\n")
    learnt = {e["key"]: e for e in training.read_record(folder) if e["key"].endswith("/learnt")}
    for name in ("gender", "expression"):
        entry = learnt[f"{name}/learnt"]
        assert entry["tasks"][name]["fingerprint"][:16] in text
        assert f"{100 * entry['test']['accuracy']['value']:.1f} %" in text
    assert f"{document['accounting']['of_separate']:.1%}" in text
    assert "CHANGED" not in text
    assert f"| expression | stage2 | {1 - document['splits']['stage2']:.1%} |" in text
    assert "results/toy.svg" in text
    assert str(tmp_path) not in json.dumps(document)


def test_stages_of_an_earlier_plan_are_not_shown(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    (stage,) = (e for e in training.read_record(folder) if e["key"] == "expression/train")
    with (folder / "record.jsonl").open("a") as file:
        stale = stage | {"key": "expression/train-stage1", "plan": "another"}
        file.write(json.dumps(stale) + "\n")
    results.collect(folder, command="pae run toy.yaml", name="toy")
    document = json.loads((tmp_path / "results" / "toy.json").read_text())
    stages = [stage["stage"] for stage in document["tasks"]["expression"]["stages"]]
    assert stages == ["reference-train", "train", "prune-1"]


def test_a_plot_is_drawn_of_the_stems_that_were_tried(tmp_path: Path) -> None:
    mpl = pytest.importorskip("matplotlib", reason="plots need the extra `plot`")
    settings = dict(mpl.rcParams)
    stage = {"metrics": {"accuracy": {"value": 0.9}}, "seconds": 1.0}
    tasks = {
        "gender": {
            "stem": "b",
            "goal": {"metric": "accuracy", "threshold": 0.8},
            "stages": [{"stage": f"train-{stem}", **stage} for stem in ("a", "b")],
        }
    }
    document = {"kind": "run", "tasks": tasks, "splits": {"a": 1.0, "b": 0.5}}
    for path in (tmp_path / "a" / "x.svg", tmp_path / "b" / "x.svg"):
        path.parent.mkdir()
        plot(document, path)
    drawn = (tmp_path / "a" / "x.svg").read_text()
    assert drawn == (tmp_path / "b" / "x.svg").read_text()
    assert "gender (accuracy)" in drawn
    assert dict(mpl.rcParams) == settings


def test_a_comparison_is_a_section_with_its_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra `plot`")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(results, "PAGE", tmp_path / "results.md")
    command = "pae compare toy.yaml"
    methods = ["pae", "finetune", "individual"]
    report = training.compare(recipe(), methods, tmp_path / "faces", command=command)
    results.collect(tmp_path / "faces")
    results.write()
    text = (tmp_path / "results.md").read_text()
    assert "`pae compare toy.yaml` with paenet" in text
    for name, method in report["methods"].items():
        value = 100 * method["runs"][0]["tasks"]["gender"]["end"]["test"]
        assert f"| `{name}` | gender, expression | {value:.1f} (" in text
        own, alone = (
            100 * report["methods"][which]["runs"][0]["tasks"]["gender"]["end"]["val"]
            for which in (name, "individual")
        )
        assert f"| `{name}` | gender, expression | {own:.1f} ({own - alone:+.1f}) |" in text
    for plot_name in ("accuracy-bytes", "sequence", "owners-pae"):
        assert f"](results/faces-{plot_name}.svg)" in text
        assert (tmp_path / "results" / f"faces-{plot_name}.svg").exists()
    drawn = (tmp_path / "results" / "faces-sequence.svg").read_text()
    results.write()
    assert (tmp_path / "results" / "faces-sequence.svg").read_text() == drawn
    assert str(tmp_path) not in json.dumps(report)


def test_rows_of_different_seeds_name_them_and_are_compared_over_those_that_both_have() -> None:
    reached = {"pae": {0: 0.5, 2: 0.9}, "cpg": {1: 0.8}, "individual": {0: 0.6, 1: 0.7}}
    text = page({"toy": report_of(reached)})
    assert "mean ± standard deviation over the seeds that each row names" in text
    assert "| `pae` | gender | 0, 2 | 70.0 ± 28.3 (70.0 ± 28.3) |" in text
    assert "| `pae` | gender | 0, 2 | 70.0 (-10.0) |" in text
    assert "| `cpg` | gender | 1 | 80.0 (+10.0) |" in text
    assert "| `individual` | gender | 0, 1 | 65.0 (+0.0) |" in text
    text = page({"toy": report_of({"pae": {1: 0.5}, "individual": {0: 0.6}})})
    assert "| `pae` | gender | 1 | 50.0 |" in text


def test_rows_of_the_same_seeds_say_how_many_once() -> None:
    text = page({"toy": report_of({"pae": {0: 0.5, 1: 0.7}, "individual": {0: 0.6, 1: 0.6}})})
    assert "mean ± standard deviation over 2 seeds" in text
    assert "| `pae` | gender | 60.0 (+0.0) |" in text


def test_the_committed_page_is_what_its_json_files_make() -> None:
    documents = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((ROOT / "docs" / "results").glob("*.json"))
    }
    assert documents
    assert (ROOT / "docs" / "results.md").read_text(encoding="utf-8") == page(documents)


def test_a_file_without_information_in_its_owners_is_told_with_the_calls_that_were_timed() -> None:
    document = json.loads((ROOT / "docs" / "results" / "file.json").read_text(encoding="utf-8"))
    text = page({"file": document | {"owners_over_entropy": None, "repeats": 3}})
    assert "Owner maps take an unknown multiple of their order-0 entropy" in text
    assert "(medians of 6 calls of each, in turns)" in text


def test_runs_over_the_same_tasks_stand_side_by_side() -> None:
    def run(value: float, work: float) -> dict[str, Any]:
        reached = {"accuracy": {"value": value}}
        task = {
            "goal": {"metric": "accuracy", "reference": {"val": reached, "test": reached}},
            "val": reached,
            "test": reached,
            "own_work": work,
        }
        sizes = {"accounting": {"separate_mib": 10.0}, "file_bytes": 2**20}
        return {"tasks": {"gender": task, "age": task}, **sizes}

    lines = list(beside({"whole": run(0.8, 1.0), "stems": run(0.7, 0.1)}))
    assert "| task | metric | individual | whole | stems |" in lines
    assert "| gender | accuracy | 0.800 / 0.800 | 0.800 / 0.800 | 0.700 / 0.700 |" in lines
    assert "| forward cost |  | 2.00 | 2.00 | 0.20 |" in lines
    assert not list(beside({"whole": run(0.8, 1.0)}))
