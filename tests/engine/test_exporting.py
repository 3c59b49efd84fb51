"""A model answers as its pack does, holds what tasks share once, and says what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from torch import Tensor, nn

from paenet.engine import Engine, EngineError, OnnxNetwork, export_onnx, exporting, onnx_models
from paenet.engine.sources import sources_of
from paenet.packfile import BackboneSpec, write
from paenet.packing import Pack
from tests.engine.blocks import TASKS, Blocks, four_tasks, images
from tests.packing.networks import NETWORKS, batch_norm, packed, teach

ABOUT = {"input": {"size": 8, "mean": 127.5, "scale": 128.0}}


@pytest.fixture(scope="module")
def pack() -> Pack:
    pack = four_tasks()
    pack.tasks["gender"].notes = {"task": {"kind": "classification"}, "terms": "research"}
    return pack


@pytest.fixture(scope="module")
def file(pack: Pack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packs") / "pack.pae"
    write(pack, path, backbone=BackboneSpec("mine:blocks"), about=ABOUT)
    return path


@pytest.fixture(scope="module")
def model(file: Path) -> Path:
    path = file.with_name("all.onnx")
    export_onnx(file, path, backbone=Blocks)
    return path


def initialisers(path: Path) -> Iterator[onnx.TensorProto]:
    return iter(onnx.load(path).graph.initializer)


def values(path: Path) -> int:
    return sum(onnx.numpy_helper.to_array(tensor).size for tensor in initialisers(path))


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_model_answers_any_batch_as_the_engine_does(pack: Pack, model: Path, count: int) -> None:
    answers = OnnxNetwork(model)(images(count))
    assert tuple(answers) == TASKS
    for name, expected in Engine(pack, dtype="float32")(images(count)).items():
        torch.testing.assert_close(answers[name], expected, rtol=1e-4, atol=1e-5)


def test_what_tasks_share_is_stored_once(pack: Pack, file: Path, model: Path) -> None:
    parts = [
        export_onnx(file, file.with_name(f"{name}.onnx"), [name], backbone=Blocks)[0].path
        for name in TASKS
    ]
    assert values(model) < sum(map(values, parts))
    network = Engine(pack, prepack=False, dtype="float32").network
    assert values(model) <= sum(p.numel() for p in network.parameters()) + 64  # shapes and axes


def test_tensors_of_equal_values_are_stored_once(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    teach(pack, "a")
    pack.learn("b", head=nn.Identity(), sees="base").freeze()  # the same network once more
    export_onnx(pack, tmp_path / "twice.onnx")
    export_onnx(pack, tmp_path / "once.onnx", ["b"])
    assert values(tmp_path / "twice.onnx") < 1.2 * values(tmp_path / "once.onnx")


def test_split_writes_a_model_for_each_task(pack: Pack, tmp_path: Path) -> None:
    written = export_onnx(pack, tmp_path / "m.onnx", ["gender", "age"], split=True)
    assert [model.path.name for model in written] == ["m-gender.onnx", "m-age.onnx"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m-age.onnx", "m-gender.onnx"]
    for model in written:
        (task,) = model.tasks
        answer = OnnxNetwork(model.path)(images())[task]
        torch.testing.assert_close(answer, pack.materialize(task)(images()), rtol=1e-4, atol=1e-5)
        assert model.bytes == model.path.stat().st_size
        assert model.difference[task] < exporting.TOLERANCE


def test_a_text_is_one_name(pack: Pack, tmp_path: Path) -> None:
    (model,) = export_onnx(pack, tmp_path / "m.onnx", "gender")
    assert model.tasks == ("gender",)


def test_a_model_says_what_its_input_and_its_tasks_are(pack: Pack, model: Path) -> None:
    facts = OnnxNetwork(model).facts
    assert facts["input"]["shape"] == ["batch", 3, 8, 8]
    assert ABOUT["input"].items() <= facts["input"].items()
    assert "(pixel - 127.5) / 128" in facts["input"]["preprocessing"]
    assert list(facts["tasks"]) == list(TASKS)
    assert facts["tasks"]["gender"] == {
        "fingerprint": pack.fingerprint("gender"),
        "task": {"kind": "classification"},
        "terms": "research",
    }


def named(*names: str) -> Pack:
    pack = packed(Blocks)
    for name in names:
        teach(pack, name)
    return pack


@pytest.mark.parametrize("calibrate", [None, images(4).double()], ids=["float32", "int8"])
def test_tasks_may_be_called_as_values_within_a_model(
    calibrate: Tensor | None, tmp_path: Path
) -> None:
    pack = named("relu", "images", "tails.0.1.weight")
    (model,) = export_onnx(pack, tmp_path / "m.onnx", calibrate=calibrate)
    network = OnnxNetwork(model.path)
    assert network.tasks == tuple(network.facts["tasks"]) == tuple(pack.tasks)
    assert network.facts["input"]["name"] == "images_"
    for name, answer in network(images()).items():
        close = {"rtol": 1e-4, "atol": 1e-5} if calibrate is None else {"rtol": 0, "atol": 0.1}
        torch.testing.assert_close(answer, pack.materialize(name)(images()), **close)


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"size": 8, "mean": [1.5, 2, 3], "scale": [4, 5, 6]}, "(pixel - [1.5, 2, 3]) / [4, 5, 6]"),
        ({"size": 8, "resize": 9, "mean": 0, "scale": 1}, "RGB, the centre of 9 × 9, 8 × 8 pixels"),
        ("pixels", ""),
    ],
)
def test_an_input_is_described_whatever_its_pack_says_of_it(
    told: Any, said: str, pack: Pack, tmp_path: Path
) -> None:
    path, model = tmp_path / "pack.pae", onnx.ModelProto()
    write(pack, path, backbone=BackboneSpec("mine:blocks"), about={"input": told})
    model.graph.input.add().name = "images"
    onnx_models.describe_model(model, sources_of(path, "age", Blocks, None))
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    facts = onnx_models.facts_of(metadata, ["age"])
    assert facts["input"]["shape"] == ["batch", 3, 8, 8]
    assert said in facts["input"].get("preprocessing", "")


def test_a_task_that_no_file_can_be_called_after_is_refused_before_any_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(EngineError, match=r"task 'a/b': no file can be called so; .*without split"):
        export_onnx(named("a", "a/b"), tmp_path / "m.onnx", split=True)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_networks_of_every_kind_are_exported(builder: Any, tmp_path: Path) -> None:
    pack = packed(builder)
    teach(pack, "a")
    teach(pack, "b", stem=next(iter(pack.splits())))
    export_onnx(pack, tmp_path / "m.onnx")
    for name, answer in OnnxNetwork(tmp_path / "m.onnx")(images()).items():
        torch.testing.assert_close(answer, pack.materialize(name)(images()), rtol=1e-4, atol=1e-5)


def test_int8_keeps_the_answers_near_and_shrinks_the_weights(tmp_path: Path) -> None:
    torch.manual_seed(0)
    pack = packed(_wide)
    teach(pack, "a")
    calibrate = torch.randn(40, 3, 8, 8)
    plain, small = tmp_path / "plain.onnx", tmp_path / "small.onnx"
    export_onnx(pack, plain)
    (written,) = export_onnx(pack, small, calibrate=calibrate)
    assert small.stat().st_size < 0.5 * plain.stat().st_size
    kinds = {tensor.data_type for tensor in initialisers(small) if len(tensor.dims) > 1}
    assert kinds == {onnx.TensorProto.INT8}
    assert exporting.TOLERANCE < written.difference["a"] < 0.1
    assert OnnxNetwork(small).facts["tasks"]["a"]["fingerprint"] == pack.fingerprint("a")


def test_int8_overflows_on_no_processor(tmp_path: Path) -> None:
    """Products of large activations by large weights, two of which are summed in 16 bits."""
    blur = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with torch.no_grad():
        blur[0].weight.fill_(0.05)
        blur[0].bias.zero_()
    pack = Pack(blur, example=torch.zeros(1, 3, 8, 8))
    pack.learn("mean", head=nn.Identity()).freeze()
    bright = torch.linspace(0.9, 1, 16).reshape(16, 1, 1, 1).expand(16, 3, 8, 8)
    export_onnx(pack, tmp_path / "m.onnx", calibrate=bright)
    found = OnnxNetwork(tmp_path / "m.onnx")(bright)["mean"]
    torch.testing.assert_close(
        found, Engine(pack, dtype="float32")(bright)["mean"], rtol=0.03, atol=0
    )


def _wide(width: float = 1.0) -> nn.Module:
    channels = round(64 * width)
    return nn.Sequential(
        nn.Conv2d(3, channels, 3),
        nn.ReLU(),
        nn.Conv2d(channels, channels, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(16 * channels, 6),
    )


# ---------------------------------------------------------------- the engine's other backend


def test_an_engine_on_onnxruntime_answers_as_one_on_torch(file: Path) -> None:
    engine = Engine(file, ["age", "gender"], backend="onnxruntime", backbone=Blocks)
    plain = Engine(file, ["age", "gender"], dtype="float32", backbone=Blocks)
    answers = engine(images())
    assert tuple(answers) == ("age", "gender")
    for name, expected in plain(images()).items():
        torch.testing.assert_close(answers[name], expected, rtol=1e-4, atol=1e-5)
    assert engine.cost() == plain.cost()
    with pytest.raises(EngineError, match="the networks take"):
        engine(torch.zeros(2, 3, 9, 8))


def test_threads_are_told_to_rest_after_an_answer(model: Path) -> None:
    options = OnnxNetwork(model)._session.get_session_options()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_torch_exports_what_a_task_materialises_to(pack: Pack) -> None:
    network = pack.materialize("gender")
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(network, (images(2),), dynamic_shapes=({0: batch},))
    torch.testing.assert_close(program.module()(images(5)), network(images(5)))


# ---------------------------------------------------------------- refusals


def test_a_model_that_answers_otherwise_is_not_written(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "m.onnx"
    old.write_bytes(b"the old one")

    def skewed(network: nn.Module, example: Tensor) -> onnx.ModelProto:
        model = onnx_models.model_of(network, example)
        bias = next(t for t in model.graph.initializer if len(t.dims) == 1 and t.dims[0] > 1)
        changed = onnx.numpy_helper.to_array(bias) + 1
        bias.CopyFrom(onnx.numpy_helper.from_array(changed, bias.name))
        return model

    monkeypatch.setattr(exporting, "model_of", skewed)
    with pytest.raises(EngineError, match=r"off torch's \(at most 1e-04\); nothing is written"):
        export_onnx(pack, old)
    assert old.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [old]


def test_without_the_extra_the_mend_is_named(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_models, "NEEDED", ("onnx", "no_such_runtime"))
    with pytest.raises(EngineError, match=r"need no_such_runtime; .*pip install 'paenet\[onnx\]'"):
        export_onnx(pack, tmp_path / "m.onnx")


def test_a_pack_that_knows_no_input_is_refused(tmp_path: Path) -> None:
    pack = Pack(batch_norm(1.0))
    teach(pack, "a")
    with pytest.raises(EngineError, match="does not say what its networks are fed"):
        export_onnx(pack, tmp_path / "m.onnx")


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_what_is_no_model_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(EngineError, match=r"m\.onnx: (No such file|not a model)"):
        OnnxNetwork(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"input": "{}", "tasks": "[]"},
        {"input": "{", "tasks": "{}"},
        {"input": "{}", "tasks": "{}"},
        {"input": "{}", "tasks": json.dumps(dict.fromkeys(TASKS))},
        {"input": "{}", "tasks": json.dumps({task: {"fingerprint": 1} for task in TASKS})},
        {"input": "{}", "tasks": json.dumps({t: {"fingerprint": ""} for t in (*TASKS, "more")})},
    ],
)
def test_a_model_of_another_maker_is_refused(
    metadata: dict[str, str], model: Path, tmp_path: Path
) -> None:
    stranger = onnx.load(model)
    del stranger.metadata_props[:]
    onnx.helper.set_model_props(stranger, metadata)
    onnx.save(stranger, tmp_path / "m.onnx")
    with pytest.raises(EngineError, match=r"m\.onnx: not a model that paenet has made"):
        OnnxNetwork(tmp_path / "m.onnx")


def test_a_task_that_a_model_lacks_is_named(model: Path) -> None:
    with pytest.raises(EngineError, match="no task 'smile'; it has: identity, gender"):
        OnnxNetwork(model).only("smile")


@pytest.mark.parametrize("calibrate", [None, images(4)], ids=["float32", "int8"])
def test_metadata_is_json(calibrate: Tensor | None, pack: Pack, tmp_path: Path) -> None:
    (model,) = export_onnx(pack, tmp_path / "m.onnx", "gender", calibrate=calibrate)
    facts = {e.key: json.loads(e.value) for e in onnx.load(model.path).metadata_props}
    assert facts["int8"] is (calibrate is not None)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("out", [".", "", "models"])
def test_a_folder_is_no_place_for_a_model(
    out: str, split: bool, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    with pytest.raises(EngineError, match=r": a folder; give the model's file"):
        export_onnx(pack, out, split=split)


class Choosing(nn.Module):
    """Goes one way or another, as its input has it."""

    def __init__(self, width: float = 1.0) -> None:
        super().__init__()
        self.layer = nn.Linear(3 * 8 * 8, 6)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.layer(x.flatten(1))
        return features if x.sum() > 0 else -features


def test_a_network_that_torch_cannot_export_is_named(tmp_path: Path) -> None:
    pack = Pack(Choosing, example=images(1))
    teach(pack, "a")
    with pytest.raises(EngineError, match="torch cannot export the network"):
        export_onnx(pack, tmp_path / "m.onnx")


def test_a_task_whose_answers_are_all_zero_can_be_exported(tmp_path: Path) -> None:
    pack = packed(batch_norm)
    head = nn.Linear(6, 2)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    pack.learn("a", head=head).freeze()
    (exported,) = export_onnx(pack, tmp_path / "zero.onnx")
    assert exported.difference == {"a": 0.0}
