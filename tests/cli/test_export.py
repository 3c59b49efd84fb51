"""`pae export`: models of tasks, and `pae eval` of what they answer."""

from pathlib import Path

import yaml

from paenet import training
from tests.cli.answers import OWN, document, refusal
from tests.cli.conftest import Pae
from tests.training import toys


def test_an_exported_task_is_judged_as_its_network_is(
    learnt: Path, faces: Path, pae: Pae, tmp_path: Path
) -> None:
    model = tmp_path / "m.onnx"
    (written,) = document(pae("export", learnt, "--onnx", model, *OWN, "--json"))
    assert (written["path"], written["tasks"]) == (str(model), ["shade"])
    assert written["bytes"] == model.stat().st_size
    judged = ("eval", learnt, "--task", "shade", "--data", faces, *OWN, "--json")
    found = document(pae(*judged, "--onnx", model))["metrics"]
    assert found == document(pae(*judged))["metrics"]


def test_int8_takes_its_ranges_from_images(
    learnt: Path, faces: Path, pae: Pae, tmp_path: Path
) -> None:
    model = tmp_path / "m.onnx"
    export = ("export", learnt, "--onnx", model, "--int8", faces, "--images", "8", *OWN)
    done = pae(*export)
    assert done.code == 0, done.err
    assert f"{model}: " in done.out
    judged = ("eval", learnt, "--task", "shade", "--data", faces, *OWN)
    assert f"shade of {model} on {faces} (test)" in pae(*judged, "--onnx", model).out


def test_split_names_the_models_by_task(learnt: Path, pae: Pae, tmp_path: Path) -> None:
    done = pae("export", learnt, "--onnx", tmp_path / "m.onnx", "--split", *OWN)
    assert done.code == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["m-shade.onnx"]


def test_what_cannot_be_exported_is_one_line(learnt: Path, pae: Pae, tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    line = refusal(pae("export", learnt, "--onnx", model, "--tasks", "shad", *OWN))
    assert line == f"pae: {learnt}: has no task 'shad'; did you mean 'shade'?"
    line = refusal(pae("export", learnt, "--onnx", tmp_path / "no" / "m.onnx", *OWN))
    assert line == f"pae: {tmp_path / 'no'}: no such folder; make it, or choose another place"
    assert not model.exists()


def test_a_model_of_another_pack_is_not_judged_for_this_one(
    learnt: Path, faces: Path, pae: Pae, tmp_path: Path
) -> None:
    other = tmp_path / "toy.yaml"
    other.write_text(yaml.safe_dump(toys.document(toys.task("shade", faces), seed=1)))
    pack = training.run(training.load_recipe(other), tmp_path / "run", cache=tmp_path / "cache")
    model = tmp_path / "m.onnx"
    assert pae("export", pack, "--onnx", model, *OWN).code == 0
    line = refusal(pae("eval", learnt, "--task", "shade", "--data", faces, "--onnx", model, *OWN))
    assert line == f"pae: {model}: its 'shade' has another fingerprint than the pack's; export anew"
