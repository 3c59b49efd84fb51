"""ONNX models as networks, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from paenet.engine.errors import EngineError
from paenet.engine.onnx_models import facts_of, needs_onnx
from paenet.errors import first_line


class OnnxNetwork(nn.Module):
    """A model that `export_onnx` has made; a module without parameters.

    Args:
        model: the path of a model, or its bytes.
        threads: that one call may use; as many as torch has by default.

    Attributes:
        tasks: the names of its outputs.
        facts: its metadata: `input`, and `tasks` by name.

    Raises:
        EngineError: where it is no such model, or the extra `onnx` is not installed.
    """

    def __init__(self, model: str | Path | bytes, *, threads: int | None = None) -> None:
        needs_onnx()
        import onnxruntime

        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or torch.get_num_threads()
        options.log_severity_level = 3  # errors
        # Its threads would go on spinning after a call, and take processors from what comes next.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        name = "the model" if isinstance(model, bytes) else str(model)
        try:
            content = model if isinstance(model, bytes) else Path(model).read_bytes()
            self._session = onnxruntime.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except OSError as error:
            raise EngineError(f"{name}: {error.strerror or error}; check the path") from None
        except Exception as error:  # onnxruntime's own have no common name
            reason = first_line(error)
            raise EngineError(f"{name}: not a model that onnxruntime runs ({reason})") from error
        self._input = self._session.get_inputs()[0].name
        self.tasks = tuple(output.name for output in self._session.get_outputs())
        try:
            self.facts = facts_of(self._session.get_modelmeta().custom_metadata_map, self.tasks)
        except EngineError as error:
            raise EngineError(f"{name}: {error}") from None

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """`(N, …)` to what every task's head returns, in float32, on the processor."""
        fed = images.detach().to("cpu", torch.float32).contiguous().numpy()
        answers = self._session.run(list(self.tasks), {self._input: fed})
        return {task: torch.from_numpy(a) for task, a in zip(self.tasks, answers, strict=True)}

    def only(self, task: str) -> nn.Module:
        """A network of one task, from images to its answer.

        Raises:
            EngineError: where there is no such task.
        """
        return _Only(self, task)


class _Only(nn.Module):
    def __init__(self, network: OnnxNetwork, task: str) -> None:
        super().__init__()
        if task not in network.tasks:
            raise EngineError(f"the model has no task {task!r}; it has: {', '.join(network.tasks)}")
        self._network, self._task = [network], task

    def forward(self, images: Tensor) -> Tensor:
        return self._network[0](images)[self._task]
