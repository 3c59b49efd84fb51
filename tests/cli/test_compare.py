"""`pae compare` from a recipe to a table, a report and plots; what is wrong is said in one line."""

import json
import sys
from pathlib import Path

import pytest
import yaml

from paenet.cli.compare import show
from tests.cli.answers import document, refusal
from tests.cli.conftest import Pae
from tests.training import toys
from tests.training.comparison.reports import report_of

ASKED = ("--methods", "pae,finetune")


@pytest.fixture
def recipe(faces: Path, tmp_path: Path) -> Path:
    """A recipe of two tasks."""
    path = tmp_path / "toy.yaml"
    path.write_text(yaml.safe_dump(toys.document(*(toys.task(name, faces) for name in "ab"))))
    return path


def test_a_table_a_report_and_plots(recipe: Path, pae: Pae, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots need the extra `plot`")
    out = tmp_path / "out"
    done = pae("compare", recipe, *ASKED, "--seeds", "0,1", "--out", out, "--plots")
    assert done.code == 0, done.err
    report = json.loads((out / "comparison.json").read_text())
    for name in ("pae", "finetune"):
        (summary,) = report["methods"][name]["orders"]
        end, learnt, costs = (line for line in done.out.splitlines() if line.split()[:1] == [name])
        for when, line in (("end", end), ("learnt", learnt)):
            assert f"{100 * summary['tasks']['a'][when]['test']['mean']:.1f} ± " in line
        assert costs.split()[-2] == f"{summary['cost']['mean']:.2f}"
    plots = {path.name for path in (out / "plots").iterdir()}
    assert plots == {"accuracy-bytes.svg", "sequence.svg", "owners-pae.svg"}
    assert "pae, seed 1: a, b\n" in done.err
    assert report["command"].startswith("pae compare ")


def test_json_is_the_report_and_orders_may_be_given(recipe: Path, pae: Pae, tmp_path: Path) -> None:
    options = ("--orders", "a,b; b,a", "--out", tmp_path / "out", "--limit", "8")
    found = document(pae("compare", recipe, "--methods", "finetune", *options, "--json"))
    assert found == json.loads((tmp_path / "out" / "comparison.json").read_text())
    orders = [summary["order"] for summary in found["methods"]["finetune"]["orders"]]
    assert orders == [["a", "b"], ["b", "a"]]
    assert found["limit"] == 8


def test_learning_rates_may_be_given_for_a_method(recipe: Path, pae: Pae, tmp_path: Path) -> None:
    done = pae(
        *("compare", recipe, "--methods", "features,piggyback", "--rates", "features=3"),
        *("--out", tmp_path / "out"),
    )
    assert done.code == 0, done.err
    assert "features: learning rates times 3\n" in done.out
    assert "piggyback: learning rates" not in done.out


def test_the_precision_may_be_given_in_place_of_the_recipes(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    given = yaml.safe_load(recipe.read_text()) | {"precision": "bf16"}
    recipe.write_text(yaml.safe_dump(given))
    options = ("--methods", "finetune", "--out", tmp_path / "out", "--limit", "8", "--json")
    found = document(pae("compare", recipe, *options, "--precision", "float32"))
    (run,) = found["methods"]["finetune"]["runs"]
    assert run["precision"] == "float32"


def test_what_each_method_learns_is_explained_and_not_run(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    names = ["pae", "lora:8", "individual"]
    out = tmp_path / "out"
    options = ("--methods", ",".join(names), "--rates", "lora:8=3", "--out", out, "--explain")
    found = document(pae("compare", recipe, *options, "--json"))
    assert list(found) == names
    stages = [found[name]["tasks"][0]["prune"]["stages"] for name in ("pae", "individual")]
    assert stages == [2, 0]
    rates = [found[name]["tasks"][0]["reference"]["rate"] for name in ("individual", "lora:8")]
    assert rates[1] == pytest.approx(3 * rates[0])
    texts = list(yaml.safe_load_all(pae("compare", recipe, *options).out))
    assert texts == list(found.values())
    assert not out.exists()
    for wrong in ("lora:x", "pae,packnt"):
        refusal(pae("compare", recipe, "--explain", "--methods", wrong), "method")


def test_a_method_that_fails_is_named_beside_the_others(
    faces: Path, pae: Pae, tmp_path: Path
) -> None:
    path = tmp_path / "toy.yaml"
    tasks = [toys.task("a", faces), toys.task("b", faces, stem="0")]
    path.write_text(yaml.safe_dump(toys.document(*tasks)))
    done = pae("compare", path, "--methods", "joint,features", "--out", tmp_path / "out")
    assert done.code == 1, done.err
    assert "joint, seed 0 failed: task 'b': stem: '0' is a part of the first" in done.out


def test_rows_of_different_seeds_name_them(capsys: pytest.CaptureFixture[str]) -> None:
    show(report_of({"pae": {0: 0.5, 1: 0.9}, "cpg": {1: 0.8}}))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert sum(row[:2] == ["method", "seeds"] for row in rows) == 3
    assert ["pae", "0,", "1", "70.0", "±", "28.3"] in rows
    assert ["cpg", "1", "80.0"] in rows
    show(report_of({"pae": {0: 0.5, 1: 0.9}, "cpg": {0: 0.7, 1: 0.8}}))
    assert "seeds" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--methods", "pae,packnt"], ["unknown method 'packnt'", "did you mean 'packnet'?"]),
        (["--methods", "lora:x"], ["method 'lora:x'", "give a rank"]),
        (["--methods", "joint:2"], ["method 'joint' takes no setting"]),
        ([*ASKED, "--seeds", "0,x"], ["--seeds", "'0,x'", "give whole numbers"]),
        ([*ASKED, "--seeds", "-1"], ["seeds: [-1]; give one or more, 0 or above"]),
        ([*ASKED, "--rates", "pae"], ["--rates", "'pae'", "give METHOD=FACTOR"]),
        ([*ASKED, "--rates", "lora=3"], ["rates: 'lora' is not compared"]),
        ([*ASKED, "--orders", "a"], ["task 'b' is left out"]),
        ([*ASKED, "--orders", "a,bb"], ["no task 'bb'; did you mean 'b'?"]),
    ],
)
def test_what_cannot_be_compared_is_refused(
    options: list[str], parts: list[str], recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    refusal(pae("compare", recipe, *options, "--out", tmp_path / "out"), *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "options", "mend"),
    [
        ("matplotlib", [*ASKED, "--plots"], "pip install 'paenet[plot]'"),
        ("peft", ["--methods", "pae,lora"], "pip install 'paenet[peft]'"),
    ],
)
def test_a_library_that_is_not_installed_is_named_before_anything_runs(
    module: str,
    options: list[str],
    mend: str,
    recipe: Path,
    pae: Pae,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    refusal(pae("compare", recipe, *options, "--out", tmp_path / "out"), mend)
    assert not (tmp_path / "out").exists()
