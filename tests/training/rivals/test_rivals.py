"""Methods that are no packs learn, forget or not, and go on after a kill."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from paenet import training
from paenet.training import rivals
from paenet.training.comparison.terms import on_equal_terms
from paenet.training.errors import RecipeError, RunError
from paenet.training.examples.data import Split, View
from paenet.training.examples.sources import ImageSource
from paenet.training.loop.batches import Batches
from paenet.training.loop.fitting import Trainee
from paenet.training.recipe.plan import Budget
from paenet.training.records.progress import Silent
from paenet.training.rivals import files_of, run_rival
from paenet.training.rivals.joint import Together, mixed
from tests.training import toys

NAMES = ["finetune", "joint", "lora:4"]
OTHER = {"classes": ["light", "dark"], "label": "shade"}


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Every rival; LoRA where PEFT is installed."""
    if request.param.startswith("lora"):
        needs_peft()
    return str(request.param)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of "trained" weights."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    torch.manual_seed(0)
    save_file(toys.tiny().state_dict(), path)
    return path


def needs_peft() -> None:
    pytest.importorskip("peft", reason="LoRA needs the extra `peft`")


def two(faces: Path, *, rate: float = 0.02, **keys: Any) -> training.Recipe:
    """Two tasks, the second with larger steps where it shall spoil the first."""
    budget = {"epochs": 3, "batch": 16, "rate": 0.02}
    first = toys.task("a", faces, budget=budget)
    second = toys.task("b", faces, settings=OTHER, budget=budget | {"rate": rate})
    return toys.recipe(first, second, **keys)


def learn(recipe: training.Recipe, name: str, folder: Path, reporter: Any = None) -> Any:
    make = rivals.rival(name)
    assert make is not None
    return run_rival(recipe, name, make, folder, cache=folder.parent / "cache", reporter=reporter)


def outcome(folder: Path) -> dict[str, Any]:
    """All that a run leaves, but for the clock."""
    clock = ("time", "seconds")
    record = {
        key: {name: value for name, value in entry.items() if name not in clock}
        for key, entry in toys.entries(folder).items()
    }
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.glob("*.safetensors")
    }
    return {"record": record, "files": files}


def accuracy(entry: dict[str, Any], task: str) -> float:
    return float(entry["judged"][task]["test"]["accuracy"]["value"])


def test_every_rival_learns(name: str, faces: Path, tmp_path: Path) -> None:
    learn(two(faces), name, tmp_path / "run")
    *_, last = toys.entries(tmp_path / "run").values()
    assert accuracy(last, "b") > 0.9


def test_what_is_judged_is_what_is_stored_in_16_bits(
    name: str, faces: Path, tmp_path: Path
) -> None:
    rival = learn(two(faces), name, tmp_path / "run")
    for path in files_of(tmp_path / "run", ["a", "b"], rival):
        stored = load_file(path)
        assert all(t.element_size() == 2 for t in stored.values() if t.is_floating_point())
    held = rival.kept()
    assert all(torch.equal(held[key].float(), tensor.float()) for key, tensor in stored.items())


def test_a_killed_rival_ends_as_one_that_was_not(name: str, faces: Path, tmp_path: Path) -> None:
    recipe = two(faces)
    learn(recipe, name, tmp_path / "whole")
    steps = iter([2, 5, 8, 4])
    while True:
        try:
            learn(recipe, name, tmp_path / "killed", toys.Mortal(next(steps, 0)))
            break
        except toys.Killed:
            pass
    assert next(steps, None) is None, "it came to its end before every kill"
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_a_rival_killed_before_the_record_goes_on(
    name: str, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paenet.training.records.journal import Journal

    recipe = two(faces)
    learn(recipe, name, tmp_path / "whole")
    write = Journal.write

    def killed(self: Journal, key: str, **result: Any) -> dict[str, Any]:
        if "b" in key.partition("/")[0]:
            raise toys.Killed
        return write(self, key, **result)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", killed)
        with pytest.raises(toys.Killed):
            learn(recipe, name, tmp_path / "killed")
    learn(recipe, name, tmp_path / "killed")
    assert outcome(tmp_path / "killed") == outcome(tmp_path / "whole")


def test_a_finished_rival_is_not_trained_again(
    name: str, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn(two(faces), name, tmp_path / "run")
    before = outcome(tmp_path / "run")

    def fit(*arguments: Any, **keywords: Any) -> float:
        raise AssertionError("trained again what is on record")

    monkeypatch.setattr(rivals.lessons, "fit", fit)
    learn(two(faces), name, tmp_path / "run")
    assert outcome(tmp_path / "run") == before


def test_finetuning_forgets_and_every_earlier_task_is_judged_again(
    faces: Path, tmp_path: Path
) -> None:
    rival = learn(two(faces, rate=0.5), "finetune", tmp_path / "run")
    entries = toys.entries(tmp_path / "run")
    assert list(entries) == ["run", "a/learnt", "b/learnt"]
    assert list(entries["b/learnt"]["judged"]) == ["a", "b"]
    assert accuracy(entries["a/learnt"], "a") > accuracy(entries["b/learnt"], "a")
    (path,) = files_of(tmp_path / "run", ["a", "b"], rival)
    kept = load_file(path)
    assert {key.split(".")[0] for key in kept} == {"backbone", "heads"}
    assert {"heads.a.weight", "heads.b.weight"} <= {key.replace(".1.", ".") for key in kept}


def test_a_longer_list_of_tasks_goes_on(faces: Path, tmp_path: Path) -> None:
    recipe = two(faces)
    shorter = recipe.model_copy(update={"tasks": recipe.tasks[:1]})
    learn(shorter, "finetune", tmp_path / "run")
    learn(recipe, "finetune", tmp_path / "run")
    learn(recipe, "finetune", tmp_path / "whole")
    assert outcome(tmp_path / "run") == outcome(tmp_path / "whole")


def test_joint_training_mixes_batches_by_what_each_task_has_to_see() -> None:
    view = View(8, 127.5, 128.0)
    split = Split(np.zeros((64, 8, 8, 3), np.uint8), torch.zeros(64, dtype=torch.long))
    parts = [
        Batches(ImageSource(split, view), split.targets, Budget(batch=16), seed, "train")
        for seed in range(3)
    ]
    together = mixed(parts, [20, 10, 10], seed=0)
    assert together.steps(1) == 40
    inputs = together(0, torch.device("cpu"))[::2]
    assert [len(part) for part in inputs] == [8, 4, 4]
    many = mixed(parts * 5, [10] * 15, seed=0)  # of which a batch has room for one image each
    assert many.steps(1) * 15 * 2 == 10 * 15 * 16


def test_joint_training_counts_every_image_alike() -> None:
    torch.manual_seed(0)
    backbone = nn.Linear(4, 3)
    networks = [nn.Sequential() for _ in range(2)]
    for network in networks:
        network.add_module("backbone", backbone)
        network.add_module("head", nn.Linear(3, 2))
    trainees = [Trainee(network, nn.CrossEntropyLoss()) for network in networks]
    inputs = [torch.randn(count, 4) for count in (2, 6)]
    targets = [torch.randint(2, (count,)) for count in (2, 6)]
    found = Together(backbone, trainees)(inputs[0], targets[0], inputs[1], targets[1])
    alone = [t(i, y) for t, i, y in zip(trainees, inputs, targets, strict=True)]
    torch.testing.assert_close(found, 0.25 * alone[0] + 0.75 * alone[1])


def test_joint_training_has_the_sum_of_the_budgets(faces: Path, tmp_path: Path) -> None:
    class Counting(Silent):
        steps = 0

        def advance(self, loss: float) -> None:
            self.steps += 1

    counts = []
    for name in ("finetune", "joint"):
        counting = Counting()
        learn(two(faces), name, tmp_path / name, counting)
        counts.append(counting.steps)
    assert counts[0] == counts[1] > 0


def test_a_distilled_identity_is_learnt_beside_labels(
    name: str, faces: Path, weights: Path, tmp_path: Path
) -> None:
    identity = toys.task("id", faces, kind="identity", settings={"objective": "distill"})
    recipe = toys.recipe(identity, *two(faces).tasks[:1], weights=str(weights))
    learn(recipe, name, tmp_path / "run")
    _, first, *_ = toys.entries(tmp_path / "run").values()
    assert first["judged"]["id"]["val"]["agreement"]["value"] > 0.5
    *_, last = toys.entries(tmp_path / "run").values()
    assert accuracy(last, "a") > 0.8


@pytest.mark.parametrize("name", ["finetune", "joint"])
def test_a_rival_imitates_no_network_that_was_not_trained(
    name: str, faces: Path, tmp_path: Path
) -> None:
    identity = toys.task("id", faces, kind="identity", settings={"objective": "distill"})
    with pytest.raises(RecipeError, match=r"task 'id': distilling needs a trained network"):
        learn(toys.recipe(identity, *two(faces).tasks[:1]), name, tmp_path / "run")


@pytest.mark.parametrize("name", ["finetune", "joint"])
def test_a_rival_refuses_other_data_to_start_with(name: str, faces: Path, tmp_path: Path) -> None:
    task = toys.task("a", faces, pretrain={"data": {"table": str(faces)}})
    with pytest.raises(RecipeError, match="task 'a': pretrain: only packs"):
        learn(toys.recipe(task), name, tmp_path / "run")


def test_a_rival_refuses_a_stem(name: str, faces: Path, tmp_path: Path) -> None:
    recipe = toys.recipe(toys.task("a", faces), toys.task("b", faces, stem="0"))
    with pytest.raises(RecipeError, match=r"task 'b': stem: '0' is a part of the first task's"):
        learn(recipe, name, tmp_path / "run")


def test_what_is_kept_of_another_lesson_must_be_there(faces: Path, tmp_path: Path) -> None:
    recipe = two(faces)
    learn(recipe.model_copy(update={"tasks": recipe.tasks[:1]}), "finetune", tmp_path / "run")
    (tmp_path / "run" / "task-a.safetensors").unlink()
    with pytest.raises(RunError, match=r"task-a.safetensors: is missing"):
        learn(recipe, "finetune", tmp_path / "run")


def test_what_is_kept_of_a_finished_rival_must_be_there(
    name: str, faces: Path, tmp_path: Path
) -> None:
    rival = learn(two(faces), name, tmp_path / "run")
    files_of(tmp_path / "run", ["a", "b"], rival)[-1].unlink()
    with pytest.raises(RunError, match=r"task-b.safetensors: is missing"):
        learn(two(faces), name, tmp_path / "run")


def test_what_was_left_of_another_task_is_not_counted(faces: Path, tmp_path: Path) -> None:
    needs_peft()
    rival = learn(two(faces), "lora:4", tmp_path / "run")
    (tmp_path / "run" / "task-old.safetensors").write_bytes(b"of a lesson that was killed")
    kept = files_of(tmp_path / "run", ["a", "b"], rival)
    assert [path.name for path in kept] == ["task-a.safetensors", "task-b.safetensors"]


# ---------------------------------------------------------------- lora


@pytest.fixture
def adapted(faces: Path, weights: Path, tmp_path: Path) -> Path:
    """A finished run of LoRA on trained weights."""
    needs_peft()
    learn(two(faces, weights=str(weights)), "lora:4", tmp_path / "run")
    return tmp_path / "run"


def test_lora_keeps_the_base_once_and_of_a_task_only_what_is_its_own(
    adapted: Path, weights: Path
) -> None:
    assert sorted(path.name for path in adapted.glob("*.safetensors")) == [
        "base.safetensors", "task-a.safetensors", "task-b.safetensors",
    ]  # fmt: skip
    base, given = load_file(adapted / "base.safetensors"), load_file(weights)
    assert base.keys() == given.keys()
    assert all(torch.equal(base[key], given[key]) for key in given)
    kept = load_file(adapted / "task-a.safetensors")
    adapters = {key: value for key, value in kept.items() if "lora_" in key}
    assert len(adapters) == 6  # two matrices for each of two convolutions and a linear layer
    assert max(min(value.shape[:2]) for value in adapters.values()) == 4
    others = {key.replace(".base_layer.", ".") for key in kept if "lora_" not in key}
    norms = {f"backbone.{key}" for key, value in given.items() if value.dim() < 2}
    assert {key for key in others if key.startswith("backbone.")} == norms


def test_lora_keeps_no_adapter_of_what_the_given_network_does_already(
    faces: Path, weights: Path, tmp_path: Path
) -> None:
    needs_peft()
    given = toys.task("id", faces, kind="identity", settings={}, budget={"epochs": 0})
    recipe = toys.recipe(given, *two(faces).tasks[:1], weights=str(weights))
    learn(on_equal_terms(recipe, "lora:4"), "lora:4", tmp_path / "run")
    assert not load_file(tmp_path / "run" / "task-id.safetensors")
    assert any("lora_" in key for key in load_file(tmp_path / "run" / "task-a.safetensors"))
    judged = toys.entries(tmp_path / "run")["id/learnt"]["judged"]
    assert judged["id"]["val"]["agreement"]["value"] == pytest.approx(1)


def test_lora_without_norms_of_its_own_keeps_none(
    faces: Path, weights: Path, tmp_path: Path
) -> None:
    needs_peft()
    learn(two(faces, weights=str(weights), norms="base"), "lora:4", tmp_path / "run")
    kept = load_file(tmp_path / "run" / "task-b.safetensors")
    assert all("lora_" in key for key in kept if key.startswith("backbone."))


def test_without_trained_weights_the_first_task_is_the_base(faces: Path, tmp_path: Path) -> None:
    needs_peft()
    rival = learn(two(faces), "lora:4", tmp_path / "run")
    first, second = map(load_file, files_of(tmp_path / "run", ["a", "b"], rival))
    assert not any("lora_" in key for key in first)
    assert "backbone.0.weight" in first
    assert "backbone.0.base_layer.weight" not in second


@pytest.mark.parametrize("asked", ["lora:0", "lora:x", "lora:"])
def test_a_rank_is_a_whole_number(asked: str) -> None:
    with pytest.raises(RecipeError, match=r"give a rank, a whole number such as 'lora:16'"):
        rivals.rival(asked)


def test_lora_without_its_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "peft", None)
    with pytest.raises(RunError, match=r"lora needs the PEFT library .*paenet\[peft\]"):
        rivals.rival("lora")
