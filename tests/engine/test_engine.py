"""Tasks that are asked for together answer as each does alone, and what they share runs once."""

from __future__ import annotations

import gc
import threading
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from paenet.engine import Engine, EngineError
from paenet.engine import engine as engines
from paenet.engine.prepacking import PrepackedConv2d, can_prepack
from paenet.engine.sources import sources_of
from paenet.packfile import BackboneSpec, write
from paenet.packing import Pack, Stem
from tests.engine.blocks import TASKS, Blocks, four_tasks, images
from tests.packing.networks import NETWORKS, Foreign, batch_norm, head, packed, prelu, teach, train


@pytest.fixture
def pack() -> Pack:
    return four_tasks()


def alone(pack: Pack, name: str, x: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    network = pack.materialize(name).to(dtype=dtype, memory_format=torch.channels_last)
    with torch.inference_mode():
        return network(x.contiguous(memory_format=torch.channels_last))


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("tasks", [None, ("gender",), ("expression", "gender"), ("age",)])
def test_without_folding_every_answer_is_bit_for_bit_the_task_s_own(
    pack: Pack, tasks: tuple[str, ...] | None, count: int
) -> None:
    engine = Engine(pack, tasks, fold=False, dtype="float32")
    answers = engine(images(count))
    assert tuple(answers) == engine.tasks == (tasks or TASKS)
    for name, answer in answers.items():
        assert torch.equal(answer, alone(pack, name, images(count))), name


@pytest.mark.parametrize("stem", ["first", "read"])
def test_layers_with_a_forward_of_their_own_are_shared_bit_for_bit(stem: str) -> None:
    pack = packed(Foreign)
    teach(pack, "identity")
    teach(pack, "gender", stem=stem)
    for name, answer in Engine(pack, fold=False, dtype="float32")(images()).items():
        assert torch.equal(answer, alone(pack, name, images())), name


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_a_pack_of_another_precision_is_answered_in_float32(
    backend: Any, dtype: torch.dtype
) -> None:
    if backend == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    pack = packed(lambda width: batch_norm(width).to(dtype))
    for name in ("identity", "gender"):
        learner = pack.learn(name, head=nn.Linear(6, 3, dtype=dtype))
        train(learner)
        learner.prune(to=0.5)
        learner.freeze()
    answers = Engine(pack, backend=backend, dtype="float32")(images())
    for name, answer in answers.items():
        assert answer.dtype == torch.float32
        torch.testing.assert_close(answer, alone(pack, name, images(), torch.float32))


def in_place(_: float) -> nn.Module:
    """A network that changes its input, and what follows its first block's dropout."""
    return nn.Sequential(
        nn.LeakyReLU(0.2, inplace=True),
        *(nn.Conv2d(3, 4, 3), nn.Dropout2d(0.1), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Conv2d(4, 6, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
    )


@pytest.mark.parametrize("inference", [False, True])
def test_what_works_in_place_changes_nothing_that_is_shared(inference: bool) -> None:
    pack = packed(in_place)
    teach(pack, "identity")
    for name, stem in (("gender", "1"), ("age", "1"), ("mood", None), ("end", "4")):
        head = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(6, 2))
        pack.learn(name, head=head, stem=stem).freeze()
    with torch.inference_mode(inference):
        engine = Engine(pack, fold=False, dtype="float32")
    x = images().contiguous(memory_format=torch.channels_last)
    before = x.clone()
    answers = engine(x)
    assert torch.equal(x, before)
    for name, answer in answers.items():
        assert torch.equal(answer, alone(pack, name, before.clone())), name


class Laid(nn.Module):
    """Works in place on what is a view of its input, or of its first layer's output.

    The dropout lies above a stem that ends at the first layer, and with it all that follows.
    """

    def __init__(self, how: str) -> None:
        super().__init__()
        self.first, self.last, self.how = nn.Conv2d(3, 4, 3), nn.Linear(4, 6), how
        self.drop, self.act = nn.Dropout(0.1), nn.LeakyReLU(0.2, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        if self.how == "images":
            x = x.contiguous(memory_format=torch.channels_last).sub_(0.5)
        x = self.drop(self.first(x))
        if self.how == "contiguous":
            x = self.act(x.permute(0, 2, 3, 1).contiguous()).view(-1, 36, 4)
        elif self.how == "reshape":
            x = self.act(x.permute(0, 2, 3, 1).reshape(-1, 6, 24)).view(-1, 36, 4)
        elif self.how == "view of a flattened":
            x = self.act(torch.flatten(x.permute(0, 2, 3, 1), 1).view(-1, 36, 4))
        else:
            x = x.flatten(2).transpose(1, 2)
        return self.last(x).mean(1)


@pytest.mark.parametrize("how", ["images", "contiguous", "reshape", "view of a flattened"])
def test_what_is_a_view_in_the_order_of_channels_last_is_not_changed_for_others(how: str) -> None:
    pack = packed(lambda _: Laid(how))
    for name in ("identity", "gender", "age"):
        learner = pack.learn(name, head=head(), stem=None if name == "identity" else "first")
        learner.prune(to=0.5)
        learner.freeze()
    x = images().contiguous(memory_format=torch.channels_last)
    before = x.clone()
    answers = Engine(pack, fold=False, dtype="float32")(x)
    assert torch.equal(x, before)
    for name, answer in answers.items():
        assert torch.equal(answer, alone(pack, name, before.clone())), name


class AddedInto(nn.Module):
    """A sum into a tensor that has a second name, and one into a tensor that has none."""

    def __init__(self, _: float = 1.0) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1)
        self.third, self.last = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = skip = self.first(x)
        x += self.second(x)
        x = x + skip
        x += self.third(x)
        return self.last(x).mean((2, 3))


@pytest.mark.parametrize("stem", ["first", "third"])
def test_a_sum_into_a_tensor_changes_it_whatever_else_it_is_called(stem: str) -> None:
    pack = packed(AddedInto)
    for name in ("identity", "gender", "age"):
        learner = pack.learn(name, head=head(), stem=None if name == "identity" else stem)
        learner.prune(to=0.5)
        learner.freeze()
    exact, fused = (Engine(pack, fold=fold, dtype="float32")(images()) for fold in (False, True))
    for name, answer in exact.items():
        assert torch.equal(answer, alone(pack, name, images())), name
        torch.testing.assert_close(fused[name], answer, rtol=1e-5, atol=1e-5)


class ChangedLast(nn.Module):
    """Changes what it returns after it was last read, and a constant that it makes."""

    def __init__(self, _: float = 1.0) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 6, 3)
        self.norm = nn.BatchNorm2d(6)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.last(self.first(x))).mean((2, 3))
        shift = torch.ones(6)
        shift += y.mean(0)
        y.add_(shift)
        nn.functional.relu(y, inplace=True)
        return y


@pytest.mark.parametrize("backend", ["torch", "onnxruntime"])
def test_what_changes_a_tensor_by_the_way_is_part_of_the_network(backend: Any) -> None:
    if backend == "onnxruntime":
        pytest.importorskip("onnxruntime", reason="needs the extra `onnx`")
    pack = packed(ChangedLast)
    stems = {"identity": None, "gender": "first", "age": "last"}
    for name, stem in stems.items():
        pack.learn(name, head=head(), stem=stem).freeze()
    engine = Engine(pack, backend=backend, dtype="float32")
    for _ in range(2):
        for name, answer in engine(images()).items():
            expected = alone(pack, name, images())
            torch.testing.assert_close(answer, expected, rtol=1e-5, atol=1e-5)


def test_a_text_is_one_name_and_not_its_letters() -> None:
    pack = packed(batch_norm)
    for name in ("a", "b", "ab"):
        teach(pack, name)
    assert Engine(pack, "ab").tasks == ("ab",)


@pytest.mark.parametrize("builder", [Blocks, batch_norm, prelu], ids=["blocks", "norm", "prelu"])
def test_with_folding_every_answer_agrees_with_the_task_s_own(builder: Any) -> None:
    pack = packed(builder)
    teach(pack, "identity")
    teach(pack, "gender", stem=next(iter(pack.splits())))
    answers = Engine(pack, dtype="float32")(images())
    for name, answer in answers.items():
        torch.testing.assert_close(answer, alone(pack, name, images()), rtol=1e-5, atol=1e-5)


def test_norms_are_folded_away(pack: Pack) -> None:
    folded, whole = (Engine(pack, fold=fold, dtype="float32").network for fold in (True, False))
    norms = [
        sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())
        for network in (folded, whole)
    ]
    assert norms[0] == 0 < norms[1]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_prepacked_it_answers_as_without(pack: Pack, dtype: Any) -> None:
    plain = Engine(pack, dtype=dtype, prepack=False)(images())
    close = {"rtol": 1e-5, "atol": 1e-5} if dtype == "float32" else {"rtol": 0.1, "atol": 0.1}
    for name, answer in Engine(pack, dtype=dtype)(images()).items():
        torch.testing.assert_close(answer, plain[name], **close)


def test_what_tasks_share_runs_once(pack: Pack) -> None:
    engine = Engine(pack, ["identity", "gender", "expression"], prepack=False)
    ran: list[nn.Module] = []
    for module in engine.network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda module, *_: ran.append(module))
    engine(images())
    assert len(ran) == len(set(ran))
    # first; second; identity and gender each go on with a third; expression with both.
    assert len(ran) == 1 + 1 + 2 + 2


def test_the_cost_is_that_of_the_trunk_and_of_every_branch(pack: Pack) -> None:
    splits = pack.splits()
    cost = Engine(pack).cost()
    assert cost["shared"] == pytest.approx(splits["second"].work)
    own = cost["tasks"]
    assert own["identity"] == own["gender"] == pytest.approx(1 - splits["second"].work)
    assert own["age"] == 1
    assert cost["all"] == pytest.approx(sum(own.values()) + cost["shared"])


def narrower() -> Pack:
    """A pack whose second task has given half of its channels up."""
    pack = packed(Blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=nn.Linear(6, 2))
    learner.narrow(0.5)
    learner.freeze()
    return pack


@pytest.mark.parametrize("from_file", [False, True])
def test_a_narrowed_task_costs_by_itself_what_it_does_among_all(
    from_file: bool, tmp_path: Path
) -> None:
    pack = narrower()
    path = tmp_path / "pack.pae"
    write(pack, path, backbone=BackboneSpec("mine:blocks"))
    source = path if from_file else pack
    of_all = Engine(source, backbone=Blocks).cost()["tasks"]["gender"]
    assert of_all < 1
    alone = Engine(source, "gender", backbone=Blocks)
    assert alone.cost()["tasks"]["gender"] == pytest.approx(of_all)
    assert list(alone(images())) == ["gender"]


@pytest.fixture(scope="module")
def widened() -> Pack:
    """A base at width 1.5 and tasks that are as wide and wider, one of them on a stem."""
    pack = packed(Blocks)
    for name, width, stem in (("identity", 1.5, None), ("gender", 2, "first"), ("age", None, None)):
        learner = pack.learn(name, head=nn.Linear(6, 2), stem=stem)
        if width is not None:
            learner.widen(width)
        learner.freeze()
    return pack


@pytest.mark.parametrize("from_file", [False, True])
@pytest.mark.parametrize("tasks", [None, ("gender", "age"), ("age",)])
def test_cost_is_by_the_network_at_width_1_though_the_first_task_was_widened(
    widened: Pack, tasks: tuple[str, ...] | None, from_file: bool, tmp_path: Path
) -> None:
    path = tmp_path / "pack.pae"
    write(widened, path, backbone=BackboneSpec("mine:blocks"))
    cost = Engine(path if from_file else widened, tasks, backbone=Blocks).cost()
    stem, whole = 64 * 27 * 6, _work_of_blocks(1.0)
    above = stem if tasks != ("age",) else 0  # a trunk, and what follows it of the base
    expected = {
        "identity": _work_of_blocks(1.5) - stem,
        "gender": _work_of_blocks(2.0) - stem,
        "age": _work_of_blocks(2.0),
    }
    assert cost["shared"] == pytest.approx(above / whole)
    own = {name: expected[name] / whole for name in tasks or expected}
    assert cost["tasks"] == pytest.approx(own)


def _work_of_blocks(width: float) -> int:
    """Multiplications of `Blocks` on an image of 8 by 8."""
    a = round(6 * width)
    return 64 * 9 * (3 * 6 + 6 * a + 8 * a) + 8 * 6


def test_a_network_of_another_width_is_told_by_the_given_one_without_loading_the_first_task(
    tmp_path: Path,
) -> None:
    pack = narrower()
    write(pack, tmp_path / "pack.pae", backbone=BackboneSpec("mine:blocks"))
    for source in (pack, tmp_path / "pack.pae"):
        assert list(sources_of(source, "gender", Blocks, None).networks) == ["gender"]


def test_a_branch_holds_nothing_of_the_trunk(pack: Pack) -> None:
    engine = Engine(pack, ["gender"], prepack=False)
    assert engine.cost()["all"] == pytest.approx(1)
    names = [name for name, _ in engine.network.named_parameters()]
    assert sum(".conv." in name for name in names) == 2 * 3  # weight and folded bias of each


def test_a_file_answers_as_its_pack(pack: Pack, tmp_path: Path) -> None:
    about = {"input": {"size": 8, "mean": 127.5, "scale": 128.0}}
    write(pack, tmp_path / "pack.pae", backbone=BackboneSpec("mine:blocks"), about=about)
    engine = Engine(tmp_path / "pack.pae", ["gender"], fold=False, dtype="float32", backbone=Blocks)
    assert engine.input == about["input"]
    assert torch.equal(engine(images())["gender"], alone(pack, "gender", images()))


def test_a_task_that_grew_after_its_stem_answers_as_it_does_alone() -> None:
    pack = packed(Blocks)
    teach(pack, "identity")
    learner = pack.learn("gender", head=nn.Linear(6, 2), stem="first")
    learner.widen(1.5)
    learner.freeze()
    answers = Engine(pack, fold=False, dtype="float32")(images())
    for name in pack.tasks:
        assert torch.equal(answers[name], alone(pack, name, images())), name


@pytest.mark.parametrize("builder", NETWORKS.values(), ids=NETWORKS)
def test_networks_of_every_kind_answer(builder: Any) -> None:
    pack = packed(builder)
    teach(pack, "a")
    teach(pack, "b", stem=next(iter(pack.splits())))
    answers = Engine(pack, dtype="float32")(images())
    for name, answer in answers.items():
        torch.testing.assert_close(answer, pack.materialize(name)(images()), rtol=1e-5, atol=1e-5)


def test_a_pack_that_knows_no_input_answers_too() -> None:
    pack = Pack(batch_norm(1.0))
    teach(pack, "a")
    answer = Engine(pack, fold=False, dtype="float32")(images())["a"]
    assert torch.equal(answer, alone(pack, "a", images()))


# ---------------------------------------------------------------- numbers


def test_bfloat16_answers_are_float32_and_near(pack: Pack) -> None:
    answers = Engine(pack, dtype="bfloat16")(images())
    for name, answer in answers.items():
        assert answer.dtype == torch.float32
        torch.testing.assert_close(answer, alone(pack, name, images()), rtol=0.1, atol=0.1)


@pytest.mark.skipif(not can_prepack(torch.device("cpu")), reason="this torch has no oneDNN")
def test_bfloat16_is_not_prepacked_where_onednn_cannot(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    for dtype, fused in (("float32", True), ("bfloat16", False)):
        engine = Engine(pack, dtype=dtype)
        assert any(isinstance(m, PrepackedConv2d) for m in engine.network.modules()) == fused
        engine(images())


@pytest.mark.parametrize(("gains", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_takes_what_is_faster(
    pack: Pack, gains: bool, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "gains_by_bfloat16", lambda device: gains)
    assert Engine(pack).dtype == dtype


# ---------------------------------------------------------------- use


@pytest.mark.parametrize(
    ("given", "found"),
    [([[0.0]], "list"), (images().numpy(), "ndarray"), (images().byte(), r"torch\.uint8")],
)
def test_what_is_no_tensor_of_normalised_pixels_is_refused(
    pack: Pack, given: Any, found: str
) -> None:
    with pytest.raises(EngineError, match=f"images are {found}; give a tensor of floating point"):
        Engine(pack)(given)


def test_threads_may_ask_at_the_same_time(pack: Pack) -> None:
    engine = Engine(pack, dtype="float32")
    expected = {count: engine(images(count)) for count in range(1, 5)}
    wrong: list[int] = []

    def ask(count: int) -> None:
        for _ in range(20):
            answers = engine(images(count))
            if not all(torch.equal(answers[n], expected[count][n]) for n in TASKS):
                wrong.append(count)

    threads = [threading.Thread(target=ask, args=(count,)) for count in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_does_not_grow_over_ten_thousand_calls(pack: Pack) -> None:
    engine, x = Engine(pack, dtype="float32"), images(1)

    def resident() -> int:
        gc.collect()
        return int(Path("/proc/self/statm").read_text().split()[1])

    for _ in range(500):
        engine(x)
    sizes = [resident()]
    for _ in range(4):
        for _ in range(2_500):
            engine(x)
        sizes.append(resident())
    # What leaks does so all the time; anything else in this process may take memory once.
    assert min(after - before for before, after in pairwise(sizes)) < 64  # pages of 4 kB


def test_the_network_can_be_exported(pack: Pack) -> None:
    engine = Engine(pack, prepack=False, dtype="float32")
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(engine.network, (images(2),), dynamic_shapes=({0: batch},))
    answers = program.module()(images(5))
    for name, answer in engine(images(5)).items():
        torch.testing.assert_close(answers[name], answer, rtol=1e-5, atol=1e-5)


def test_the_network_compiles_as_one_graph(pack: Pack) -> None:
    engine = Engine(pack, prepack=False, dtype="float32")
    compiled = torch.compile(engine.network, backend="aot_eager", fullgraph=True, dynamic=True)
    with torch.inference_mode():
        for count in (2, 5):
            for name, answer in engine(images(count)).items():
                torch.testing.assert_close(compiled(images(count))[name], answer)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
def test_on_a_gpu_the_answers_are_those_of_the_processor(pack: Pack) -> None:
    engine = Engine(pack, dtype="float32", device="cuda")
    for name, answer in engine(images()).items():
        assert answer.is_cuda
        torch.testing.assert_close(answer.cpu(), alone(pack, name, images()), rtol=1e-3, atol=1e-3)


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tasks": ["gendre"]}, "no task 'gendre'; did you mean 'gender'"),
        ({"tasks": []}, "no task is asked for"),
        ({"dtype": "float16"}, "give auto, float32 or bfloat16"),
        ({"backend": "tensorrt"}, "give torch or onnxruntime"),
        ({"backend": "onnxruntime", "fold": False}, "leave fold, dtype and device as they are"),
        ({"backend": "onnxruntime", "dtype": "bfloat16"}, "leave fold, dtype and device"),
    ],
)
def test_what_there_is_not_is_refused(pack: Pack, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        Engine(pack, **arguments)


@pytest.mark.parametrize(
    ("stem", "message"),
    [
        (Stem("frist", frozenset({"first.conv"})), "task 'gender': stem 'frist'.*'first'"),
        (Stem("second", frozenset({"first.conv"})), "task 'gender': stem 'second' lacks layer"),
        (Stem("first", frozenset({"first.conv"})), "'first.norm.bias' in its stem 'first'"),
    ],
    ids=["unknown", "shorter", "own-norm"],
)
def test_a_stem_that_is_not_the_base_s_is_refused(pack: Pack, stem: Stem, message: str) -> None:
    gender = pack.tasks["gender"]
    gender.stem = stem
    gender.private["first.norm.bias"] = pack.tasks["identity"].private["first.norm.bias"] + 1
    with pytest.raises(EngineError, match=message):
        Engine(pack)


def test_an_input_too_large_to_try_is_refused_before_anything_of_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack = Pack(batch_norm(1.0), example=torch.empty(1, 3, 3000, 3000, device="meta"))
    teach(pack, "a")
    path = tmp_path / "pack.pae"
    write(pack, path, backbone=BackboneSpec("mine:network"))
    monkeypatch.setattr(torch, "zeros", lambda *_, **__: pytest.fail("it was made"))
    for source, name in ((pack, "the pack"), (path, str(path))):
        with pytest.raises(EngineError) as caught:
            Engine(source, backbone=batch_norm)
        assert str(caught.value).startswith(
            f"{name}: an input of [1, 3, 3000, 3000] has 27,000,000 values, and an engine takes "
            "at most 8,388,608;"
        )


def test_images_of_another_shape_are_refused_with_the_one_that_is_expected(pack: Pack) -> None:
    with pytest.raises(EngineError, match=r"\[2, 3, 9, 8\]; the networks take \(N, 3, 8, 8\)"):
        Engine(pack)(torch.zeros(2, 3, 9, 8))
