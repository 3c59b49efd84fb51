"""Tasks of a pack as ONNX models, which run where there is no Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from paenet.engine.errors import EngineError
from paenet.engine.onnx_models import (
    check_model,
    describe_model,
    model_of,
    name_outputs,
    needs_onnx,
)
from paenet.engine.onnx_runtime import OnnxNetwork
from paenet.engine.quantizing import to_int8
from paenet.engine.shared import SharedNetwork
from paenet.engine.sources import Sources, asked_of, sources_of
from paenet.files import replacing
from paenet.packing import Pack
from paenet.packing.widening import Builder

TOLERANCE = 1e-4
"""How far a float32 model may be from torch, as a share of the task's largest answer."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One model.

    Attributes:
        path: of its file.
        tasks: the names of its outputs.
        bytes: of its file.
        difference: of every task, the largest difference between onnxruntime's answers and
            torch's on random images, by torch's largest answer.
    """

    path: Path
    tasks: tuple[str, ...]
    bytes: int
    difference: Mapping[str, float]


def export_onnx(
    source: Pack | str | Path,
    out: str | Path,
    tasks: str | Collection[str] | None = None,
    *,
    split: bool = False,
    calibrate: Tensor | None = None,
    backbone: nn.Module | Builder | None = None,
    heads: Mapping[str, nn.Module] | None = None,
) -> list[Exported]:
    """Writes tasks as an ONNX model: any batch, an output for each task, what they share once.

    The model computes what `Engine` does in float32 with norms folded. Its metadata tells how
    pixels become its `input`, and of its `tasks` kind, classes, fingerprint and terms. It is
    checked by onnx and held against torch before it takes the place of an older file.

    Args:
        source: a pack, or the path of a `.pae` file.
        out: the new file.
        tasks: those that are wanted, or one name; all by default.
        split: write a model for each task instead, `OUT-TASK.onnx`.
        calibrate: `(N, …)` normalised images, on any device, N at least 1: weights and activations
            become int8, in ranges that these images need. How good its answers are then is to be
            measured.
        backbone, heads: as `paenet.packfile.load` takes them.

    Raises:
        EngineError: where there is no such task, the pack knows no input, the extra `onnx` is not
            installed, `out` is a folder, has none to lie in or cannot be called after a task, or
            the model cannot be made or does not answer as torch does.
        PackFileError: where the file cannot be read.
        OSError: where the model cannot be written.
    """
    needs_onnx()
    out = Path(out)
    _refuse_place(out)
    if not split:
        return [_export(sources_of(source, tasks, backbone, heads), out, calibrate)]
    places = {task: _place(out, task) for task in asked_of(source, tasks)}
    return [
        _export(sources_of(source, [task], backbone, heads), place, calibrate)
        for task, place in places.items()
    ]


def _refuse_place(out: Path) -> None:
    """Refuses, before the work, a place where no file can be put."""
    if not out.name or out.is_dir():
        raise EngineError(f"{out}: a folder; give the model's file, such as {out / 'tasks.onnx'}")
    if not out.parent.is_dir():
        raise EngineError(f"{out.parent}: no such folder; make it, or choose another place")


def _place(out: Path, task: str) -> Path:
    """Where the model of one of several tasks lies."""
    try:
        return out.with_name(f"{out.stem}-{task}{out.suffix}")
    except ValueError:
        raise EngineError(
            f"task {task!r}: no file can be called so; export it by itself, without split"
        ) from None


def model_bytes(sources: Sources, network: SharedNetwork, calibrate: Tensor | None = None) -> bytes:
    """A model, checked and described, as the content of its file.

    Args:
        sources: what `network` was made of.
        network: in float32, on the processor.
        calibrate: see `export_onnx`.

    Raises:
        EngineError: where the pack knows no input.
    """
    if sources.example is None:
        raise EngineError(
            "the pack does not say what its networks are fed; make it with Pack(…, example=images)"
        )
    model = model_of(network, sources.example)
    if calibrate is not None:
        model = to_int8(model, calibrate)
    name_outputs(model, sources.asked)  # at the end: what makes it int8 names more values
    describe_model(model, sources, int8=calibrate is not None)
    check_model(model)
    return model.SerializeToString()


def _export(sources: Sources, out: Path, calibrate: Tensor | None) -> Exported:
    network = SharedNetwork(sources)
    content = model_bytes(sources, network, calibrate)
    difference = _differences(network, content, sources)
    for task, value in difference.items():
        if calibrate is None and not value <= TOLERANCE:
            raise EngineError(
                f"{out}: onnxruntime's answer to {task!r} is {value:.1e} off torch's (at most "
                f"{TOLERANCE:.0e}); nothing is written"
            )
    with replacing(out) as beside:
        beside.write_bytes(content)
    return Exported(out, sources.asked, len(content), difference)


@torch.inference_mode()
def _differences(network: SharedNetwork, content: bytes, sources: Sources) -> dict[str, float]:
    assert sources.example is not None
    draw = torch.Generator().manual_seed(0)
    images = torch.randn(3, *sources.example.shape[1:], generator=draw)
    ours, theirs = network(images), OnnxNetwork(content)(images)
    least = torch.finfo(torch.float32).tiny  # answers that are all zero are no reason to refuse
    return {
        task: float((theirs[task] - answer).abs().max() / answer.abs().max().clamp(min=least))
        for task, answer in ours.items()
    }
