"""The state of a training in progress, on disk: tensors and a few facts, never code."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.optim import Optimizer

from paenet.errors import first_line
from paenet.files import replacing
from paenet.training.errors import RunError


def save_state(
    path: Path, module: nn.Module, optimizer: Optimizer | None, about: dict[str, Any]
) -> None:
    """Writes a module's state and, where given, its optimiser's; atomic.

    Raises:
        RunError: where it cannot be written, for instance on a full disk.
    """
    tensors = {f"module.{key}": value for key, value in module.state_dict().items()}
    if optimizer is not None:
        for index, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
    save_tensors(path, tensors, about)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: dict[str, Any]) -> None:
    """Writes tensors by name as a safetensors file; atomic. Raises as `save_state`."""
    plain = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
    data = save(plain, metadata={"about": json.dumps(about)})
    try:
        with replacing(path) as beside:
            beside.write_bytes(data)  # safetensors' own writing would hide what the system said
    except OSError as error:
        raise RunError(
            f"{path}: cannot be written ({error.strerror or error}); free some space or give the "
            "permission, then run the same command again"
        ) from None


def halved(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors in float16 or bfloat16 where that loses nothing, as of a published network's file.

    Loading them into a module of float32 gives back the same bits.
    """
    return {key: _halved(tensor) for key, tensor in tensors.items()}


@torch.no_grad()
def round_to_halves(tensors: Mapping[str, Tensor]) -> None:
    """Rounds tensors to bfloat16, in place, but for those that `halved` takes as they are."""
    for key, tensor in halved(tensors).items():
        if tensor.dtype == torch.float32:
            tensors[key].copy_(tensor.bfloat16())


def _halved(tensor: Tensor) -> Tensor:
    if tensor.dtype == torch.float32:
        for half in (tensor.half(), tensor.bfloat16()):
            if _same_bits(half.float(), tensor):
                return half
    return tensor


def _same_bits(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.view(torch.int32), other.view(torch.int32))


def read_about(path: Path) -> dict[str, Any] | None:
    """What `save_state` was told about the state; None where there is no readable file."""
    try:
        with safe_open(path, "pt") as file:
            about: dict[str, Any] = json.loads(file.metadata()["about"])
            return about
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None


def load_state(path: Path, module: nn.Module, optimizer: Optimizer | None = None) -> None:
    """Puts a saved state back, bit for bit and in the memory format of what is there.

    Raises:
        RunError: where the file cannot be read, or is of another network.
    """
    tensors = load_tensors(path)
    try:
        module.load_state_dict(under("module.", tensors))
    except RuntimeError as error:
        raise _unusable(path, error) from None
    if optimizer is not None:
        _restore_optimizer(optimizer, under("optimizer.", tensors))


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name.

    Raises:
        RunError: where the file cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise _unusable(path, error) from None


def _unusable(path: Path, error: Exception) -> RunError:
    return RunError(f"{path}: cannot go on from it ({first_line(error)}); remove the file")


def _restore_optimizer(optimizer: Optimizer, tensors: dict[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for key, saved in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        optimizer.state[parameter][name] = _like(parameter, saved)


def _like(parameter: Tensor, saved: Tensor) -> Tensor:
    """`saved` in the parameter's own strides, where it has its shape.

    Other strides take other kernels, which round differently, and a resumed run would no longer
    be the run that was killed.
    """
    if saved.shape != parameter.shape:
        return saved
    return torch.empty_like(parameter, dtype=saved.dtype).copy_(saved)


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, without it."""
    return {
        key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)
    }
