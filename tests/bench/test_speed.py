"""Every figure of `pae bench speed` is measured, on a network that takes no time."""

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import nn

from benchmarks.page import page
from paenet import bench
from paenet.bench import passes, timing
from paenet.bench.answering import answering
from paenet.bench.inputs import random_images
from paenet.bench.packnet import over_avalanche
from paenet.packfile import BackboneSpec, PackFile, PackFileError
from paenet.packing import Pack

STEMS = {"identity": None, "gender": "stage3", "expression": "stage2"}
ALWAYS = {"engine_over_dense", "engine_over_separate", "engine_over_paper"}
MAYBE = {
    "engine_over_adapters": find_spec("peft") is not None,
    "onnxruntime_over_dense": find_spec("onnxruntime") is not None,
    "int8_over_dense": find_spec("onnxruntime") is not None,
}


@pytest.fixture(scope="module")
def pack() -> Pack:
    return bench.sample_with_stems("small", None, STEMS).pack


@pytest.mark.slow
def test_all_that_is_promised_is_measured() -> None:
    held = bench.sample_with_stems("small", None, STEMS)
    found = bench.bench_speed(held, repeats=2, batches=(1, 3), training=8)
    assert found["stems"] == STEMS
    for key in ALWAYS:
        assert set(found[key]) == {"1", "3"}
        assert min(found[key].values()) > 0
    for key, there in MAYBE.items():
        assert (found[key] is not None) == there
        assert found[key] is None or set(found[key]) == {"1", "3"}
    assert set(found["cached_epoch_speedup"]) == {"stage2", "stage3"}
    assert 1 < found["work_over_dense"] < 2
    assert found["step_over_plain"] > 0
    assert found["avalanche"] is None or min(found["avalanche"].values()) > 0
    memory = found["memory_over_dense"]
    assert memory is None or (set(memory) == {"1", "3"} and min(memory.values()) > 0)
    assert 0 < found["first_answer_seconds"]["ours"] < found["first_answer_seconds"]["total"]
    _is_told(found)


def _is_told(found: dict[str, Any]) -> None:
    versions = {"processor": "p", "threads": 1, "cuda": None} | dict.fromkeys(
        ("paenet", "torch", "python"), "1"
    )
    document = {"kind": "speed", "command": "c", "backbone": "small", "versions": versions, **found}
    text = page({"speed": document})
    for key, words in (
        ("engine_over_paper", "all tasks in one pass ÷ a pass for each through its own network"),
        ("engine_over_separate", "all tasks in one pass ÷ as many dense networks"),
    ):
        assert f"| {words}, batch 3 | {found[key]['3']:.3f} |" in text
    memory = found["memory_over_dense"]
    assert memory is None or (
        f"| memory of the engine ÷ one dense network, batch 3 | {memory['3']:.3f} |" in text
    )
    if found["engine_over_adapters"] is None:
        assert "(PEFT) | unknown |" in text


@torch.inference_mode()
def test_every_way_answers_every_task(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "gains_by_bfloat16", lambda *_, **__: True)
    images = random_images(2, (3, 64, 64))
    expected = [pack.materialize(name)(images) for name in pack.tasks]
    for way in (passes.engine, passes.paper, passes.engine_bfloat16, passes.onnxruntime):
        answer = way(pack)
        if answer is None:
            continue
        found: Any = answer(images)
        found = list(found.values()) if isinstance(found, dict) else found
        loose = 0.05 if way is passes.engine_bfloat16 else 1e-4
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=loose, atol=loose)
    for way in (passes.separate, passes.adapters, passes.int8):
        if (answer := way(pack)) is not None:
            several: Any = answer(images)
            assert [len(one) for one in several] == [2, 2, 2] or set(several) == set(STEMS)
    for way in (passes.dense, passes.dense_bfloat16):
        one: Any = way(pack)
        torch.testing.assert_close(one(images).float(), expected[0], rtol=0.05, atol=0.05)


def test_packnet_of_avalanche_is_timed_where_it_can_be_imported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "avalanche", None)
    assert over_avalanche(1) is None


def test_separate_networks_share_no_weight(pack: Pack) -> None:
    called = []

    def note(module: nn.Module, *_: object) -> None:
        if isinstance(module, nn.Conv2d):
            called.append(module.weight.data_ptr())

    answer = passes.separate(pack)
    with nn.modules.module.register_module_forward_hook(note):
        answer(random_images(1, (3, 64, 64)))
    assert len(set(called)) == len(called) == 3 * len(pack.layers) - 3  # all but the linear layer


def test_a_way_that_is_not_to_be_had_gives_no_figure(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "has_onnx", lambda: False)
    monkeypatch.setattr(passes, "gains_by_bfloat16", lambda *_, **__: False)
    monkeypatch.setitem(sys.modules, "peft", None)
    found = answering(pack, [1], 1)
    assert {key for key, value in found.items() if value is not None} == ALWAYS


def test_a_network_with_groups_that_peft_cannot_adapt_has_no_adapters() -> None:
    pytest.importorskip("peft")
    depthwise = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Flatten(), nn.Linear(12, 4))
    pack = Pack(depthwise, example=torch.zeros(1, 3, 4, 4))
    pack.learn("one", head=nn.Linear(4, 2)).freeze()
    assert passes.adapters(pack) is None


def test_every_side_takes_as_many_turns_and_goes_first_as_often() -> None:
    turns: list[str] = []
    works: list[Callable[[], object]] = [lambda n=name: turns.append(n) for name in "abc"]
    found = timing.medians(works, 2)
    assert turns == [*"abc", *"cba"] * 2
    assert set(found) == set(works)


def test_the_sample_has_the_stems_that_it_is_asked_for(pack: Pack) -> None:
    assert {n: t.stem and t.stem.name for n, t in pack.tasks.items()} == STEMS
    assert all(layer.theta[layer.owner == 0].abs().sum() == 0 for layer in pack.layers.values())


def test_a_sample_of_any_backbone_has_stems() -> None:
    pack = bench.sample_with_stems("small", None).pack
    found = {n: t.stem and t.stem.name for n, t in pack.tasks.items()}
    assert found == {
        "identity": None, "gender": "stage3", "age": "stage3", "expression": "stage3"
    }  # fmt: skip


def test_a_pack_that_knows_no_input_is_refused() -> None:
    pack = Pack(nn.Linear(2, 2))
    pack.learn("one", head=nn.Identity()).freeze()
    with pytest.raises(PackFileError, match="knows no input"):
        bench.bench_speed(PackFile(pack, BackboneSpec("mine:build"), {}))
