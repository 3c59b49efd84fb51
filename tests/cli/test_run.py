"""A recipe from its file to its pack, stopped and started as people do."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from safetensors.torch import save_file

from paenet import training
from paenet.training.algorithm import stages
from tests.cli.answers import OWN, contents, document, parsed, refusal, sound
from tests.cli.conftest import Pae
from tests.training import toys


@pytest.fixture
def recipe(faces: Path, tmp_path: Path) -> Path:
    """A recipe of two tasks."""
    return written(tmp_path / "toy.yaml", toys.task("a", faces), toys.task("b", faces))


def written(path: Path, *tasks: dict[str, Any], **keys: Any) -> Path:
    path.write_text(yaml.safe_dump(toys.document(*tasks, **keys)))
    return path


def refuse_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def fit(*arguments: Any, **keywords: Any) -> float:
        raise AssertionError("trained again what is on record")

    monkeypatch.setattr(stages, "fit", fit)


# ---------------------------------------------------------------- what is shown


def test_a_recipe_is_learnt_and_what_came_out_is_shown(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    done = pae("run", recipe, "--out", out)
    assert done.code == 0
    assert f"{out / 'pack.pae'} (tests.training.toys:tiny)\n" in done.out
    for name in ("a", "b"):
        lines = (line.split() for line in done.out.splitlines() if line[:3] == f" {name} ")
        figures, weights, _ = lines
        assert figures[1:4] == ["accuracy", "≥", "0.000"]
        assert weights[1] == {"a": "–", "b": "a"}[name]
    assert sound(out / "pack.pae")
    assert list(toys.entries(out)) == [
        "run",
        *(
            f"{task}/{stage}"
            for task in "ab"
            for stage in ("train", "prune-1", "prune-2", "learnt")
        ),
    ]


def test_progress_goes_to_stderr_and_json_alone_to_stdout(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    done = pae("run", recipe, "--out", tmp_path / "run", "--json")
    found = document(done)
    assert found == document(pae("info", tmp_path / "run" / "pack.pae", *OWN, "--json"))
    assert list(found["tasks"]) == ["a", "b"]
    assert "a: trained: accuracy " in done.err
    assert "b: keeps 164 weights, 50.0% of its own released\n" in done.err


def test_a_method_with_a_network_for_each_task_gives_one_document_with_all_of_them(
    faces: Path, pae: Pae, tmp_path: Path
) -> None:
    tasks = [toys.task(name, faces) for name in ("b", "a")]
    path = written(tmp_path / "toy.yaml", *tasks, method="individual")
    done = pae("run", path, "--out", tmp_path / "run", "--json")
    assert done.code == 0
    found = parsed(done.out)
    assert sorted(list(one["tasks"]) for one in found) == [["a"], ["b"]]
    assert {one["file"] for one in found} == {str(tmp_path / "run" / f"{n}.pae") for n in "ab"}


def test_the_run_is_kept_in_a_folder_of_the_recipes_name(
    recipe: Path, pae: Pae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pae("run", recipe)
    assert done.code == 0
    assert sound(tmp_path / "runs" / "toy" / "pack.pae")
    assert "runs/toy/pack.pae" in done.out


def test_a_limit_takes_so_many_examples_of_every_split(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    document(pae("run", recipe, "--out", tmp_path / "run", "--limit", "20", "--json"))
    examples = toys.entries(tmp_path / "run")["b/learnt"]["examples"]
    assert examples == {"train": 20, "val": 20, "test": 20}


# ---------------------------------------------------------------- explain


def test_the_explained_recipe_has_every_default_and_reads_as_the_same(
    recipe: Path, pae: Pae, tmp_path: Path
) -> None:
    done = pae("run", recipe, "--out", tmp_path / "run", "--explain")
    assert done.code == 0
    assert done.err == ""
    full = tmp_path / "elsewhere" / "full.yaml"
    full.parent.mkdir()
    full.write_text(done.out)
    assert training.load_recipe(full) == training.load_recipe(recipe)
    assert "validate_batch: 64" in done.out  # a default that the recipe does not name
    assert not (tmp_path / "run").exists()


def test_the_explained_recipe_as_json_is_the_same_again(recipe: Path, pae: Pae) -> None:
    found = document(pae("run", recipe, "--explain", "--json"))
    assert found == yaml.safe_load(pae("run", recipe, "--explain").out)


# ---------------------------------------------------------------- going on


def test_a_run_started_again_trains_nothing_twice_and_says_the_same(
    recipe: Path, pae: Pae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("run", recipe, "--out", tmp_path / "run", "--json")
    first = document(pae(*arguments))
    before = contents(tmp_path / "run")
    refuse_training(monkeypatch)
    assert document(pae(*arguments)) == first
    assert contents(tmp_path / "run") == before


def test_after_ctrl_c_the_same_command_goes_on_and_ends_with_the_same_fingerprints(
    recipe: Path, pae: Pae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("run", recipe, "--out", tmp_path / "stopped")
    with monkeypatch.context() as patch:
        frozen: list[None] = []

        def freeze(self: Any) -> Any:
            if frozen:  # the second task is trained, and not yet in the pack
                raise KeyboardInterrupt
            frozen.append(None)
            return original(self)

        original = stages.Learner.freeze
        patch.setattr(stages.Learner, "freeze", freeze)
        done = pae(*arguments)
    assert done.code == 130
    assert done.out == ""
    assert done.err.splitlines()[-1] == (
        "pae: stopped; a run, addition, comparison or alignment goes on from there when it is "
        "started again"
    )
    assert list(toys.fingerprints(tmp_path / "stopped" / "pack.pae")) == ["a"]
    with monkeypatch.context() as patch:
        refuse_training(patch)
        assert pae(*arguments).code == 0
    assert pae("run", recipe, "--out", tmp_path / "whole").code == 0
    ends = [toys.fingerprints(tmp_path / name / "pack.pae") for name in ("stopped", "whole")]
    assert ends[0] == ends[1]


def test_another_recipe_in_the_same_folder_is_refused_and_the_run_kept(
    faces: Path, pae: Pae, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    recipe = written(tmp_path / "toy.yaml", toys.task("a", faces))
    document(pae("run", recipe, "--out", out, "--json"))
    before = contents(out)
    other = written(tmp_path / "other.yaml", toys.task("a", faces), seed=1)
    done = pae("run", other, "--out", out)
    refusal(done, out, "holds a run of another recipe (seed: 0 there, 1 here); choose another")
    assert contents(out) == before


# ---------------------------------------------------------------- weights


def test_weights_on_the_command_line_take_the_place_of_the_recipes(
    faces: Path, pae: Pae, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    path = written(folder / "toy.yaml", toys.task("a", faces), weights="absent.safetensors")
    refusal(pae("run", path), folder / "absent.safetensors", "there is no such file; give")
    save_file(toys.tiny().state_dict(), tmp_path / "given.safetensors")
    monkeypatch.chdir(tmp_path)  # where the command line's paths begin, unlike the recipe's
    given = ("run", path, "--weights", "given.safetensors", "--json")
    explained = document(pae(*given, "--explain"))
    assert explained["weights"] == str(tmp_path / "given.safetensors")
    assert document(pae(*given, "--out", "run"))["weights"]["name"] == "given.safetensors"


def test_registered_weights_go_by_their_name(recipe: Path, pae: Pae) -> None:
    done = pae("run", recipe, "--explain", "--json", "--weights", "facenet-vggface2")
    assert document(done)["weights"] == "facenet-vggface2"


# -------------------------------------------------------------- precision


def test_the_precision_on_the_command_line_takes_the_place_of_the_recipes(
    recipe: Path, pae: Pae
) -> None:
    done = pae("run", recipe, "--explain", "--json", "--precision", "bf16")
    assert document(done)["precision"] == "bf16"


def test_an_unknown_precision_is_refused(recipe: Path, pae: Pae) -> None:
    refusal(pae("run", recipe, "--precision", "fp8"), "--precision", "'fp8'", "'bf16'")
