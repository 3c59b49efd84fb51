"""ONNX models whose weights and activations are int8."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from paenet.engine.onnx_models import INPUT

if TYPE_CHECKING:
    import onnx

_AT_A_TIME = 16  # images whose activations are held at once


def to_int8(model: onnx.ModelProto, images: Tensor) -> onnx.ModelProto:
    """A model that computes in int8: weights per output channel, activations per tensor.

    By onnxruntime's static quantisation, with the least and greatest value that every activation
    takes on `images`. Weights take seven bits of the eight, so that answers are the same on every
    processor.

    Args:
        model: in float32.
        images: `(N, …)` as the model takes them, on any device, N at least 1.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with _quiet(), tempfile.TemporaryDirectory() as folder:
        plain, small = Path(folder) / "float32.onnx", Path(folder) / "int8.onnx"
        quant_pre_process(model, plain)
        quantize_static(
            plain,
            small,
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            # Without instructions for int8, x86 sums two products in 16 bits, which overflow
            # where weights take more than seven.
            reduce_range=True,
        )
        return onnx.load(small)


class _Calibration:
    """Batches, as onnxruntime asks for them."""

    def __init__(self, images: Tensor) -> None:
        self._batches = iter(images.split(_AT_A_TIME))

    def get_next(self) -> dict[str, Any] | None:
        batch = next(self._batches, None)
        if batch is None:
            return None
        return {INPUT: batch.detach().to("cpu", torch.float32).contiguous().numpy()}


@contextmanager
def _quiet() -> Iterator[None]:
    """What onnxruntime advises beforehand is done here already."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
