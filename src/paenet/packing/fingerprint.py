"""A task's identity: a hash of everything that its network computes with."""

import hashlib

import torch
from torch import Tensor, nn

_VERSION = b"paenet-fingerprint-1"


def fingerprint_of(network: nn.Module) -> str:
    """SHA-256, in hexadecimal, over names, types, shapes and values of a network's tensors.

    Names are taken in sorted order and values as little-endian, row-major bytes, so that the
    result does not depend on file layout, memory format, process or machine.
    """
    digest = hashlib.sha256(_VERSION)
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"\n{name} {tensor.dtype} {list(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    return digest.hexdigest()


def _bytes(tensor: Tensor) -> memoryview:
    # Through uint8, because numpy has no bfloat16. Every supported platform is little-endian.
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data
