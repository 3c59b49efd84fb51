"""Methods are compared on equal terms, and the report has every figure that it promises."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from paenet import packfile, packing, training
from paenet.training import rivals
from paenet.training.algorithm import stages
from paenet.training.comparison import course
from paenet.training.comparison.summary import spread
from paenet.training.comparison.terms import on_equal_terms
from paenet.training.errors import RecipeError, RunError
from paenet.training.machine import precision
from tests.training import toys
from tests.training.rivals.test_rivals import needs_peft, two

METHODS = ["pae", "packnet", "finetune", "joint", "individual"]
SEEDS = [0, 1]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One cache for all."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("PAENET_CACHE", str(folder))
        yield folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def report(faces: Path, folder: Path) -> dict[str, Any]:
    """A comparison of two tasks, the second of which takes large steps."""
    return training.compare(
        two(faces, rate=0.5), METHODS, folder, seeds=SEEDS, command="pae compare"
    )


def test_the_report_is_kept_beside_the_runs(report: dict[str, Any], folder: Path) -> None:
    assert json.loads((folder / "comparison.json").read_text()) == report
    assert report["kind"] == "comparison"
    assert report["command"] == "pae compare"
    assert report["versions"] == training.versions()
    assert list(report["methods"]) == METHODS
    assert all(not method["failed"] for method in report["methods"].values())


def test_every_run_has_every_figure(report: dict[str, Any], folder: Path) -> None:
    for name, method in report["methods"].items():
        assert [run["seed"] for run in method["runs"]] == SEEDS
        for run in method["runs"]:
            assert (folder / run["folder"] / "record.jsonl").exists()
            assert list(run["tasks"]) == run["order"] == ["a", "b"]
            for task in run["tasks"].values():
                assert task["metric"] == "accuracy"
                for when in ("learnt", "end"):
                    assert all(0 <= task[when][split] <= 1 for split in ("val", "test"))
                assert task["forgetting"]["test"] >= 0
            assert run["bytes"] > 0
            assert run["paper_mib"] > 0
            assert run["seconds"] > 0
            assert run["steps"][-1]["test"].keys() == {"a", "b"}
            assert (run["owners"] is not None) == (name in ("pae", "packnet"))


def test_packs_forget_nothing_and_finetuning_does(report: dict[str, Any]) -> None:
    for name in ("pae", "packnet", "individual"):
        for run in report["methods"][name]["runs"]:
            assert run["forgetting"] == {"val": 0, "test": 0}
            assert run["fingerprints"].keys() == {"a", "b"}
    for run in report["methods"]["finetune"]["runs"]:
        a = run["tasks"]["a"]
        best = max(step["test"]["a"] for step in run["steps"])
        assert a["forgetting"]["test"] == best - a["end"]["test"]
        assert run["forgetting"]["test"] == a["forgetting"]["test"] / 2
    assert any(r["forgetting"]["test"] > 0 for r in report["methods"]["finetune"]["runs"])


def test_one_network_costs_one_pass_and_separate_ones_a_pass_each(
    report: dict[str, Any], folder: Path
) -> None:
    costs = {name: method["runs"][0]["cost"] for name, method in report["methods"].items()}
    assert costs["finetune"] == costs["joint"] == 1
    assert costs["individual"] == 2
    assert 1 < costs["pae"] <= 2.01
    run = report["methods"]["finetune"]["runs"][0]
    (file,) = (folder / run["folder"]).glob("*.safetensors")
    assert run["bytes"] == file.stat().st_size
    pack = report["methods"]["pae"]["runs"][0]
    assert pack["bytes"] == (folder / pack["folder"] / "pack.pae").stat().st_size
    dense = sum(p.numel() for p in toys.tiny().parameters()) + 2 * (toys.FEATURES + 1) * 2
    assert run["paper_mib"] == pytest.approx(4 * dense / 2**20)


def test_a_wider_task_costs_more_than_a_pass_of_the_first_ones_network(
    faces: Path, tmp_path: Path
) -> None:
    found = training.compare(two(faces), ["progressive"], tmp_path)["methods"]["progressive"]
    (run,) = found["runs"]
    pack = packfile.read(tmp_path / run["folder"] / "pack.pae", backbone=toys.tiny).pack
    assert run["cost"] == pytest.approx(1 + pack.own_work("b"))
    assert run["cost"] > 2.1


def test_the_summary_is_over_seeds(report: dict[str, Any]) -> None:
    for method in report["methods"].values():
        (summary,) = method["orders"]
        assert summary["seeds"] == SEEDS
        values = [run["tasks"]["a"]["end"]["test"] for run in method["runs"]]
        assert summary["tasks"]["a"]["end"]["test"] == spread(values)
    assert spread([1.0, 3.0]) == {"mean": 2.0, "std": math.sqrt(2)}
    assert spread([1.0]) == {"mean": 1.0, "std": None}


def test_a_comparison_that_is_done_is_read_from_its_records(
    report: dict[str, Any], faces: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fit(*arguments: Any, **keywords: Any) -> float:
        raise AssertionError("trained again what is on record")

    monkeypatch.setattr(stages, "fit", fit)
    monkeypatch.setattr(rivals.lessons, "fit", fit)
    again = training.compare(
        two(faces, rate=0.5), METHODS, folder, seeds=SEEDS, command="pae compare"
    )
    assert again == report


def test_a_run_whose_directory_is_gone_counts_as_the_report_has_it(
    report: dict[str, Any], faces: Path, tmp_path: Path
) -> None:
    file = tmp_path / "comparison.json"
    file.write_text(json.dumps(report | {"command": "another"}))
    again = training.compare(
        two(faces, rate=0.5), METHODS, tmp_path, seeds=SEEDS, command="pae compare"
    )
    assert again == report
    assert json.loads(file.read_text()) == report
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_reports_of_other_machines_make_one(
    report: dict[str, Any], faces: Path, tmp_path: Path
) -> None:
    for seed in SEEDS:
        part = {
            name: {"runs": [run for run in method["runs"] if run["seed"] == seed]}
            for name, method in report["methods"].items()
        }
        (tmp_path / f"comparison-{seed}.json").write_text(json.dumps({"methods": part}))
    again = training.compare(
        two(faces, rate=0.5), METHODS, tmp_path, seeds=SEEDS, command="pae compare"
    )
    assert again == report
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_report_of_another_recipe_counts_for_nothing(faces: Path, tmp_path: Path) -> None:
    first = training.compare(two(faces), ["features"], tmp_path)["methods"]["features"]
    shutil.rmtree(tmp_path / "features")
    other = training.compare(two(faces, rate=0.01), ["features"], tmp_path)["methods"]["features"]
    assert other["runs"][0]["digest"] != first["runs"][0]["digest"]
    assert (tmp_path / "features").exists()


def test_runs_that_a_later_command_does_not_ask_for_stay_in_the_report(
    report: dict[str, Any], faces: Path, tmp_path: Path
) -> None:
    (tmp_path / "comparison.json").write_text(json.dumps(report))
    fewer = training.compare(two(faces, rate=0.5), ["features"], tmp_path)
    known = {run["digest"] for method in report["methods"].values() for run in method["runs"]}
    assert {run["digest"] for run in fewer["unasked"]} == known
    again = training.compare(
        two(faces, rate=0.5), METHODS, tmp_path, seeds=SEEDS, command="pae compare"
    )
    assert again["methods"] == report["methods"]
    assert [run["method"] for run in again["unasked"]] == ["features"]


def test_commands_at_one_comparison_lose_nothing_of_each_other(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = course.run_rival

    def while_another_compares(*arguments: Any, **keywords: Any) -> Any:
        monkeypatch.setattr(course, "run_rival", run)
        training.compare(two(faces), ["features"], tmp_path)
        return run(*arguments, **keywords)

    monkeypatch.setattr(course, "run_rival", while_another_compares)
    found = training.compare(two(faces), ["finetune"], tmp_path)
    assert [run["method"] for run in found["unasked"]] == ["features"]


def test_a_format_that_is_to_be_chosen_is_chosen_once(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = chain([True], repeat(False))
    monkeypatch.setattr(precision, "gains_by_bfloat16", lambda device: next(found))
    report = training.compare(two(faces, precision="auto"), ["features", "finetune"], tmp_path)
    runs = [run for method in report["methods"].values() for run in method["runs"]]
    assert [run["precision"] for run in runs] == ["bf16", "bf16"]


def test_the_report_is_written_after_every_run(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*arguments: Any, **keywords: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(course, "run_rival", killed)
    with pytest.raises(KeyboardInterrupt):
        training.compare(two(faces), ["features", "finetune"], tmp_path)
    found = json.loads((tmp_path / "comparison.json").read_text())["methods"]
    assert len(found["features"]["runs"]) == 1
    assert found["finetune"]["runs"] == []


@pytest.mark.parametrize("text", ["{", "{}", "[]", '{"methods": {"pae": {"runs": [{}]}}}'])
def test_what_is_no_report_is_refused(text: str, faces: Path, tmp_path: Path) -> None:
    (tmp_path / "comparison.json").write_text(text)
    with pytest.raises(RunError, match=r"comparison.json: is no report of a comparison"):
        training.compare(two(faces), ["features"], tmp_path)


def test_every_order_has_runs_and_a_summary_of_its_own(faces: Path, tmp_path: Path) -> None:
    found = training.compare(
        two(faces), ["finetune"], tmp_path, orders=[["a", "b"], ["b", "a"], ["a", "b"]]
    )["methods"]["finetune"]  # fmt: skip
    assert [run["order"] for run in found["runs"]] == [["a", "b"], ["b", "a"]]
    assert [summary["order"] for summary in found["orders"]] == [["a", "b"], ["b", "a"]]
    assert [step["after"] for step in found["runs"][1]["steps"]] == ["b", "a"]
    assert found["orders"][0]["seeds"] == [0]


def test_runs_that_begin_alike_do_not_follow_each_other(faces: Path, tmp_path: Path) -> None:
    heard = toys.Heard()
    methods, orders = ["pae", "finetune"], [["a", "b"], ["b", "a"]]
    training.compare(two(faces), methods, tmp_path, orders=orders, reporter=heard)
    titles = [line for line in heard.lines if ", seed 0: " in line]
    assert titles == [f"{m}, seed 0: {', '.join(order)}" for order in orders for m in methods]


@pytest.mark.parametrize("name", ["features", "piggyback", "individual", "lora:2"])
def test_one_run_serves_all_orders_of_tasks_that_are_nothing_to_each_other(
    name: str, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name.startswith("lora"):
        needs_peft()
    recipe = toys.recipe(*(toys.task(task, faces) for task in "cba"))
    orders = ["cba", "cab"]
    found = training.compare(recipe, [name], tmp_path / "shared", orders=orders)["methods"][name]
    assert len({run["folder"] for run in found["runs"]}) == 1
    monkeypatch.setattr(course, "order_matters", lambda name: True)
    apart = training.compare(recipe, [name], tmp_path / "apart", orders=orders)["methods"][name]
    assert len({run["folder"] for run in apart["runs"]}) == 2
    for key in ("order", "tasks", "steps", "fingerprints", "cost"):
        assert [run[key] for run in found["runs"]] == [run[key] for run in apart["runs"]]


def test_a_method_that_cannot_run_the_recipe_is_named_and_the_others_go_on(
    faces: Path, tmp_path: Path
) -> None:
    recipe = toys.recipe(toys.task("a", faces), toys.task("b", faces, stem="0"))
    found = training.compare(recipe, ["joint", "pae"], tmp_path)["methods"]
    (failed,) = found["joint"]["failed"]
    assert failed["seed"] == 0
    assert "task 'b': stem: '0' is a part of the first task's network" in failed["reason"]
    assert found["joint"]["orders"] == []
    assert len(found["pae"]["runs"]) == 1
    with pytest.raises(RunError, match="no method came to its end; joint: task 'b': stem"):
        training.compare(recipe, ["joint"], tmp_path)


def test_a_goal_that_is_missed_stops_no_comparison(faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(toys.task("a", faces, goal={"at_least": 1.5}, widen={"times": 0}))
    (run,) = training.compare(recipe, ["pae"], tmp_path)["methods"]["pae"]["runs"]
    assert run["goals_met"] == {"a": False}


def test_a_method_that_never_prunes_trains_for_as_long_as_others_train_and_prune(
    faces: Path,
) -> None:
    recipe = toys.recipe(toys.task("a", faces))
    for name, method in packing.METHODS.items():
        (plan,) = on_equal_terms(recipe, name).tasks
        epochs = plan.budget.epochs
        if method.prunes != "never":
            epochs += plan.prune.stages * plan.prune.epochs
        assert epochs == recipe.tasks[0].reference_budget().epochs == 2
        assert plan.reference_budget() == recipe.tasks[0].reference_budget()


def test_a_network_of_its_own_keeps_its_channels_and_has_values_of_16_bits(faces: Path) -> None:
    task = toys.task("b", faces, channels={"to": 0.5}, values="int8")
    recipe = toys.recipe(toys.task("a", faces), task)
    plans = {name: on_equal_terms(recipe, name).tasks[1] for name in packing.METHODS}
    kept = {name: (plan.channels.to, plan.values.grid) for name, plan in plans.items()}
    assert kept.pop("individual") == (0, "bfloat16")
    assert set(kept.values()) == {(0.5, "int8")}


def test_what_the_given_network_does_already_is_trained_in_turns_with_other_tasks_alone(
    faces: Path,
) -> None:
    identity = {"kind": "identity", "settings": {}, "budget": {"epochs": 0, "rate": 0.01}}
    recipe = toys.recipe(toys.task("a", faces, **identity), toys.task("b", faces))
    pruning = recipe.tasks[0].prune.stages * recipe.tasks[0].prune.epochs
    for name in [*packing.METHODS, "finetune", "lora", "joint"]:
        first, later = on_equal_terms(recipe, name).tasks
        rival = name not in packing.METHODS
        budget = first.reference_budget() if rival else first.budget
        assert budget.epochs == (pruning if name == "joint" else 0)
        assert later.reference_budget().epochs == 2


def test_rates_are_those_of_the_method_and_not_of_what_goals_are_measured_against(
    faces: Path,
) -> None:
    first = {"data": {"table": str(faces)}, "budget": {"rate": 0.02}}
    plan = toys.task("a", faces, prune={"to": 0.5, "rate": 0.003}, pretrain=first)
    recipe = toys.recipe(plan)
    (before,) = recipe.tasks
    for name in ("pae", "features"):
        (after,) = on_equal_terms(recipe, name, 10.0).tasks
        assert after.budget.rate == pytest.approx(0.1)
        assert after.pretrain is not None
        assert after.pretrain.budget.rate == pytest.approx(0.2)
        assert after.prune.rate == (pytest.approx(0.03) if name == "pae" else None)
        assert after.reference_budget() == before.reference_budget()
    (rival,) = on_equal_terms(recipe, "lora:8", 10.0).tasks
    assert rival.reference_budget().rate == pytest.approx(0.1)


def test_values_that_are_rounded_at_the_rate_of_pruning_keep_it_where_nothing_is_pruned(
    faces: Path,
) -> None:
    plan = toys.task("a", faces, prune={"to": 0.5, "rate": 0.003}, values="int8")
    (after,) = on_equal_terms(toys.recipe(plan), "features", 10.0).tasks
    assert after.prune.stages == 0
    assert after.values_rate == pytest.approx(0.03)


def test_a_run_stands_when_the_recipe_changes_where_its_method_makes_no_use_of_it(
    faces: Path, tmp_path: Path
) -> None:
    methods = ["pae", "features", "individual", "finetune"]
    before, after = (
        toys.recipe(toys.task("a", faces, prune={"to": to, "stages": 2, "epochs": 0.5}))
        for to in (0.5, 0.6)
    )
    goal = toys.recipe(toys.task("a", faces, goal={"at_least": 0.1}, stem="auto", views=3))
    assert on_equal_terms(goal, "finetune") == on_equal_terms(before, "finetune")
    reports = [training.compare(before, methods, tmp_path)["methods"]]
    for name in methods[1:]:
        shutil.rmtree(tmp_path / name)
    reports.append(training.compare(after, methods[1:], tmp_path)["methods"])
    for name in methods[1:]:
        assert reports[0][name] == reports[1][name]
        assert not (tmp_path / name).exists()
    assert on_equal_terms(before, "pae") != on_equal_terms(after, "pae")


def test_a_rate_makes_another_run_and_is_in_the_report(faces: Path, tmp_path: Path) -> None:
    one, other = (
        training.compare(two(faces), ["features"], tmp_path, rates={"features": rate})
        for rate in (1.0, 0.5)
    )
    assert {path.name for path in tmp_path.glob("features*")} == {"features", "features@0.5"}
    assert [r["methods"]["features"]["rate"] for r in (one, other)] == [1.0, 0.5]
    digests = {r["methods"]["features"]["runs"][0]["digest"] for r in (one, other)}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"lora": 10.0}, "rates: 'lora' is not compared; known: pae"),
        ({"pae": 0.0}, "rates: pae=0; give a factor above 0"),
        ({"pae": math.inf}, "rates: pae=inf; give a factor above 0"),
    ],
)
def test_rates_that_make_no_sense_are_refused(
    rates: dict[str, float], message: str, faces: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message):
        training.compare(two(faces), ["pae"], tmp_path / "out", rates=rates)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("methods", "orders", "message"),
    [
        (["peanut", "pae"], None, "unknown method 'peanut'"),
        (["finetun"], None, "unknown method 'finetun'; did you mean 'finetune'?"),
        (["pae:3"], None, "method 'pae' takes no setting"),
        (["joint:3"], None, "method 'joint' takes no setting"),
        ([], None, "methods: none; give one"),
        (["pae"], [["a"]], "task 'b' is left out; name every task once"),
        (["pae"], [["a", "c"]], "no task 'c'"),
        (["pae"], [["a", "b", "a"]], "task 'a' is named twice"),
    ],
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    methods: list[str], orders: Any, message: str, faces: Path, tmp_path: Path
) -> None:
    with pytest.raises(RecipeError, match=message.replace("?", r"\?")):
        training.compare(two(faces), methods, tmp_path / "out", orders=orders)
    assert not (tmp_path / "out").exists()


# ---------------------------------------------------------------- the recipe's own order


def test_a_recipe_may_say_another_order_than_it_lists(faces: Path) -> None:
    recipe = two(faces, order=["b", "a"])
    assert [plan.name for plan in recipe.tasks] == ["b", "a"]
    assert recipe.order is None
    assert recipe == two(faces).reordered(["b", "a"])


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["a"], "order: task 'b' is left out; name every task once"),
        (["a", "bb"], "order: no task 'bb'; did you mean 'b'?"),
        (["a", "b", "b"], "order: task 'b' is named twice; name every task once"),
    ],
)
def test_an_order_names_every_task_once(order: list[str], message: str, faces: Path) -> None:
    with pytest.raises(RecipeError) as caught:
        two(faces, order=order)
    assert message in str(caught.value)
