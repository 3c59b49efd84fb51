"""`pae report`: one document or the paper's tables, and what is wrong in one line."""

from pathlib import Path

import pytest

from tests.cli.answers import OWN, document, refusal
from tests.cli.conftest import Pae
from tests.training.reporting.test_tables import notes, put


@pytest.fixture
def run(tmp_path: Path) -> Path:
    names = ("identity", "gender", "age")
    tasks = {name: notes("adience", 0.9, accuracy=0.8) for name in names}
    tasks["identity"] = notes("vggface2", None, "verification", pairs=0.95)
    return put(tmp_path / "run", **tasks)


def test_a_run_stands_beside_published_figures(pae: Pae, run: Path) -> None:
    told = document(pae("report", run, *OWN, "--json"))
    assert [row["model"] for row in told["rows"][:2]] == ["this run", "networks of their own"]
    shown = pae("report", run, *OWN)
    assert shown.code == 0, shown.err
    for part in ("gender (adience)", "identity + gender", "all 3", "80.0 (70.0–90.0)"):
        assert part in shown.out
    for published in ("FaceNet [2]", "97.8", "57.30", "github.com/ivclab/PAE"):
        assert published in shown.out


def test_published_figures_need_no_run(pae: Pae) -> None:
    told = document(pae("report", "--published", "--json"))
    assert {row["model"] for row in told["cifar100"]} > {"PackNet", "PAE", "CPG"}
    shown = pae("report", "--published").out
    for part in ("CAKE", "61.70", "92.93", "92.38", "65.23", "77.1", "(NeurIPS 2019)"):
        assert part in shown


def test_without_a_run_it_says_what_to_give(pae: Pae, tmp_path: Path) -> None:
    refusal(pae("report"), "no run to report; give the directory of one")
    refusal(pae("report", tmp_path), tmp_path, "no pack in it")


def test_a_fold_and_a_last_task_are_part_of_what_is_run(pae: Pae, tmp_path: Path) -> None:
    recipe = Path(__file__).resolve().parents[2] / "recipes/paper-experiment-1.yaml"
    told = document(pae("run", recipe, "--fold", "3", "--until", "gender", "--explain", "--json"))
    assert [task["name"] for task in told["tasks"]] == ["identity", "gender"]
    assert told["tasks"][1]["data"]["fold"] == 3
    refusal(pae("run", recipe, "--until", "mood", "--explain"), "'mood' is not a task")
