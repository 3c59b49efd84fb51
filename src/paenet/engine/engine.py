"""Tasks that are asked for together, answered in one pass."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from paenet.collecting import clearing_up
from paenet.engine.errors import EngineError
from paenet.engine.exporting import model_bytes
from paenet.engine.onnx_runtime import OnnxNetwork
from paenet.engine.precision import gains_by_bfloat16
from paenet.engine.prepacking import can_prepack
from paenet.engine.shared import SharedNetwork
from paenet.engine.sources import Sources, sources_of
from paenet.packing import Pack
from paenet.packing.widening import Builder

DType = Literal["auto", "float32", "bfloat16"]
Backend = Literal["torch", "onnxruntime"]
_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Engine:
    """Every task of a pack on the same images, what they share computed once.

    Several threads may call it at the same time.

    Args:
        source: a pack, or the path of a `.pae` file.
        tasks: those that are wanted, in the order of the answers, or one name; all by default.
        fold: fold norms into the layers before them. Answers then agree with each task's own
            network to about 1e-5 (to about 1e-3 of the largest on NVIDIA GPUs, where torch
            convolves in TF32 unless `torch.backends.cudnn.allow_tf32` is False); without folding,
            in float32, bit for bit (both in channels-last order, same device, threads and batch).
        dtype: what is computed in; `auto` takes bfloat16 where the device gains by it.
        prepack: have the processor's convolutions and what follows them run as oneDNN runs them
            best, where norms are folded. `network` can then be called, but for `torch.compile` and
            `torch.export` make it without.
        backend: what computes. `onnxruntime` (the extra `onnx`) makes an ONNX model of the network
            first, which takes seconds; it runs on the processor, in float32, always folded.
        backbone, heads: as `paenet.packfile.load` takes them.
        device: where it runs; the processor by default.

    Attributes:
        tasks: the names of the answers.
        network: all of it as one module; with the backend `torch` and `prepack=False` a plain
            one, for `torch.compile` and `torch.export`.
        input: `size`, `mean` and `scale` of the images, where the file says them: pixels 0–255
            become `(pixel - mean) / scale`. With `resize`, they are the centre of squares of that
            many pixels.

    Raises:
        EngineError: where there is no such task, a task's stem is not the part of the base that it
            is named after, the backend cannot do what is asked, or an input has more than
            8,388,608 values.
        PackFileError: where the file cannot be read.
    """

    network: SharedNetwork | OnnxNetwork

    def __init__(
        self,
        source: Pack | str | Path,
        tasks: str | Collection[str] | None = None,
        *,
        fold: bool = True,
        prepack: bool = True,
        dtype: DType = "auto",
        backend: Backend = "torch",
        backbone: nn.Module | Builder | None = None,
        heads: Mapping[str, nn.Module] | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if dtype not in ("auto", *_TYPES):
            raise EngineError(f"dtype={dtype!r}: give auto, float32 or bfloat16")
        self.device = torch.device(device or "cpu")
        _check(backend, fold, dtype, self.device)
        with clearing_up():
            self._build(
                sources_of(source, tasks, backbone, heads),
                backend=backend,
                dtype=dtype,
                fold=fold,
                prepack=prepack and fold,
            )

    def _build(
        self, sources: Sources, *, backend: str, dtype: str, fold: bool, prepack: bool
    ) -> None:
        """Makes the network of what the tasks' networks consist of, which it takes over."""
        self.tasks = sources.asked
        self.input: Mapping[str, Any] | None = sources.input
        self._shape = None if sources.example is None else tuple(sources.example.shape[1:])
        network = SharedNetwork(sources, fold=fold)
        self._work = {branch.task: branch.work for branch in network.branches}, network.trunk_work
        if backend == "onnxruntime":
            self.dtype = torch.float32
            self.network = OnnxNetwork(model_bytes(sources, network))
            return
        if dtype == "auto":
            gains = gains_by_bfloat16(self.device)
            dtype = "bfloat16" if gains else "float32"
        self.dtype = _TYPES[dtype]
        self.network = network.to(self.device, self.dtype)
        if prepack and can_prepack(self.device, self.dtype):
            self.network.prepack()
        _channels_last(self.network)

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """What every task's head returns, in float32, on the engine's device.

        They are inference tensors: `clone()` one to train something on it.

        Args:
            images: `(N, …)`, normalised as `input` says, on any device; N at least 1.

        Raises:
            EngineError: where they are no tensor of floating point, or of another shape than the
                networks'.
        """
        if not isinstance(images, Tensor) or not images.is_floating_point():
            found = images.dtype if isinstance(images, Tensor) else type(images).__name__
            raise EngineError(
                f"images are {found}; give a tensor of floating point, as engine.input says"
            )
        if self._shape is not None and tuple(images.shape[1:]) != self._shape:
            sizes = ", ".join(map(str, self._shape))
            raise EngineError(
                f"images of shape {list(images.shape)}; the networks take (N, {sizes})"
            )
        images = images.to(self.device, self.dtype)
        if images.dim() == 4 and isinstance(self.network, SharedNetwork):  # as the weights are
            images = images.contiguous(memory_format=torch.channels_last)
        return {task: answer.float() for task, answer in self.network(images).items()}

    def cost(self) -> dict[str, Any]:
        """Multiplications by those of one dense network, the given one at width 1.

        Returns:
            `tasks`: of each task by itself; `shared`: what is computed once for several; `all`.
        """
        own, shared = self._work
        return {"tasks": dict(own), "shared": shared, "all": shared + sum(own.values())}


def _check(backend: str, fold: bool, dtype: str, device: torch.device) -> None:
    """Refuses what a backend does not do."""
    if backend not in ("torch", "onnxruntime"):
        raise EngineError(f"backend={backend!r}: give torch or onnxruntime")
    if backend == "onnxruntime" and not (fold and dtype != "bfloat16" and device.type == "cpu"):
        raise EngineError(
            "backend='onnxruntime' folds norms and computes in float32 on the processor; "
            "leave fold, dtype and device as they are"
        )


def _channels_last(network: nn.Module) -> None:
    """Lays out the weights of two-dimensional convolutions as images are laid out."""
    for parameter in network.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.contiguous(memory_format=torch.channels_last)
