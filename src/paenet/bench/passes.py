"""Ways to answer all tasks of a pack on the same images, each as its users would do it."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from paenet.bench.inputs import image_order, random_images
from paenet.engine import Engine, OnnxNetwork, export_onnx, has_onnx
from paenet.engine.precision import gains_by_bfloat16
from paenet.packing import Pack

Answer = Callable[[Tensor], object]

RANK = 8  # of every adapter
CALIBRATING = 4  # images; the ranges of int8 do not change its time


def engine(pack: Pack) -> Answer:
    """The engine, in float32."""
    return Engine(pack, dtype="float32")


def dense(pack: Pack) -> Answer:
    """One network of the first task's size: what a single task costs."""
    return _of_base(pack)


def separate(pack: Pack) -> Answer:
    """As many such networks as there are tasks, one after the other, each with its own weights."""
    base = _of_base(pack)
    return _in_turn([copy.deepcopy(base) for _ in pack.tasks])


def paper(pack: Pack) -> Answer:
    """One pass for each task through its own network, as it is when taken out of the pack."""
    return _in_turn([image_order(pack.materialize(name)) for name in pack.tasks])


def adapters(pack: Pack) -> Answer | None:
    """One dense network with a LoRA adapter and a head for each task; one pass for each, by PEFT.

    Every convolution and linear layer of the backbone has adapters of rank 8.

    Returns:
        None where `peft` is not installed, or a convolution has groups that do not divide the
        rank, to which it gives no adapter.
    """
    try:
        from peft import LoraConfig, get_peft_model
    except ImportError:
        return None
    backbone = _of_base(pack).get_submodule("backbone")
    modules = dict(backbone.named_modules())
    layers = [name for name, m in modules.items() if isinstance(m, (nn.Conv2d, nn.Linear))]
    if any(RANK % getattr(modules[name], "groups", 1) for name in layers):
        return None
    # A task's name may hold what peft does not take as an adapter's.
    heads = {f"adapter{task.slot}": copy.deepcopy(task.head) for task in pack.tasks.values()}
    first, *others = heads
    network = get_peft_model(backbone, LoraConfig(r=RANK, target_modules=layers), first)
    for name in others:
        network.add_adapter(name, LoraConfig(r=RANK, target_modules=layers))
    image_order(network.eval())

    def answer(images: Tensor) -> list[Tensor]:
        answers = []
        for name, head in heads.items():
            network.set_adapter(name)
            answers.append(head(network(images)))
        return answers

    return answer


def onnxruntime(pack: Pack) -> Answer | None:
    """The engine by onnxruntime; None without the extra `onnx`."""
    return Engine(pack, backend="onnxruntime") if has_onnx() else None


def int8(pack: Pack) -> Answer | None:
    """The engine's model in int8, its ranges those of random images; None without `onnx`."""
    if not has_onnx():
        return None
    assert pack.example is not None
    images = random_images(CALIBRATING, pack.example.shape[1:])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        export_onnx(pack, path, calibrate=images)
        return OnnxNetwork(path)


def engine_bfloat16(pack: Pack) -> Answer | None:
    """The engine in bfloat16; None where the processor gains nothing by it."""
    return Engine(pack, dtype="bfloat16") if _gains() else None


def dense_bfloat16(pack: Pack) -> Answer | None:
    """One network of the first task's size in bfloat16, fed float32 as the engine is."""
    if not _gains():
        return None
    network = _of_base(pack).bfloat16()
    return lambda images: network(images.bfloat16())


def _gains() -> bool:
    return gains_by_bfloat16(torch.device("cpu"))


def _of_base(pack: Pack) -> nn.Module:
    """The first task's network: its zeros are computed with like any other weight."""
    assert pack.base is not None
    return image_order(pack.materialize(pack.base))


def _in_turn(networks: Sequence[nn.Module]) -> Answer:
    return lambda images: [network(images) for network in networks]
