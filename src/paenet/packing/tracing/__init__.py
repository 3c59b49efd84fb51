"""A network as a graph: its operations, the shapes between them, and how much they compute."""

from paenet.packing.tracing.recording import Recording, Shape, is_constant, record
from paenet.packing.tracing.work import multiplications

__all__ = ["Recording", "Shape", "is_constant", "multiplications", "record"]
