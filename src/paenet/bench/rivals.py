"""Other ways to store the tasks of a pack, each as its users would do it; bytes of all files."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.utils import prune

from paenet.packing import Pack

Networks = Mapping[str, nn.Sequential]


def state_dicts(pack: Pack, networks: Networks, folder: Path) -> float:
    """`torch.save` of each task's network by itself."""
    return sum(_saved(network.state_dict(), folder) for network in networks.values())


def pruned_state_dicts(pack: Pack, networks: Networks, folder: Path) -> float:
    """The same with `torch.nn.utils.prune`, which keeps a mask beside each weight."""
    total = 0.0
    for network in networks.values():
        layers = [network.get_submodule("backbone").get_submodule(name) for name in pack.layers]
        for layer in layers:
            prune.custom_from_mask(layer, "weight", layer.get_parameter("weight") != 0)
        total += _saved(network.state_dict(), folder)
        for layer in layers:
            prune.remove(layer, "weight")
    return total


def sparse_tensors(pack: Pack, networks: Networks, folder: Path) -> float:
    """`torch.save` of what each task owns, as sparse tensors, with its norms and head."""
    total = 0.0
    for name, task in pack.tasks.items():
        own = {
            layer: torch.where(packed.owner == task.slot, packed.theta, 0).flatten().to_sparse()
            for layer, packed in pack.layers.items()
        }
        rest = {**task.private, **networks[name].get_submodule("head").state_dict()}
        total += _saved({**own, **rest}, folder)
    return total


def zipped(pack: Pack, networks: Networks, folder: Path) -> float:
    """Weights, owner maps, norms and heads as they are, in one deflated zip."""
    path = folder / "tensors.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for layer, packed in pack.layers.items():
            archive.writestr(f"theta.{layer}", packed.theta.numpy().tobytes())
            archive.writestr(f"owner.{layer}", packed.owner.numpy().tobytes())
        for name, task in pack.tasks.items():
            rest = {**task.private, **networks[name].get_submodule("head").state_dict()}
            for key, tensor in rest.items():
                archive.writestr(f"{name}.{key}", np.asarray(tensor.detach()).tobytes())
    return path.stat().st_size


def zipnn_compressed(pack: Pack, networks: Networks, folder: Path) -> float | None:
    """Each task's network by itself, every tensor compressed by ZipNN (Hershcovitch et al., 2024).

    Returns:
        None where `zipnn` is not installed.
    """
    try:
        from zipnn import ZipNN
    except ImportError:
        return None
    codec = ZipNN(input_format="byte", bytearray_dtype="float32")
    tensors = [t for network in networks.values() for t in network.state_dict().values()]
    return sum(
        len(codec.compress(np.asarray(tensor).tobytes()))
        if tensor.dtype == torch.float32 and tensor.numel()
        else tensor.nbytes
        for tensor in tensors
    )


RIVALS: dict[str, Callable[[Pack, Networks, Path], float | None]] = {
    "state_dicts": state_dicts,
    "pruned_state_dicts": pruned_state_dicts,
    "sparse_tensors": sparse_tensors,
    "zip": zipped,
    "zipnn": zipnn_compressed,
}


def _saved(state: object, folder: Path) -> int:
    path = folder / "rival.pt"
    torch.save(state, path)
    return path.stat().st_size
