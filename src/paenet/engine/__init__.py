"""All tasks of a pack in one pass: what they share is computed once."""

from paenet.engine.engine import Engine
from paenet.engine.errors import EngineError
from paenet.engine.exporting import Exported, export_onnx
from paenet.engine.onnx_models import has_onnx
from paenet.engine.onnx_runtime import OnnxNetwork
from paenet.engine.shared import SharedNetwork

__all__ = [
    "Engine",
    "EngineError",
    "Exported",
    "OnnxNetwork",
    "SharedNetwork",
    "export_onnx",
    "has_onnx",
]
