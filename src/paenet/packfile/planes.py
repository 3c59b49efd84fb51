"""Numbers as byte planes, which compress where the numbers themselves do not."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from paenet.packfile.errors import PackFileError
from paenet.packfile.streams import Bytes, Stream

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def split(values: Tensor) -> list[Bytes]:
    """Floats as planes of equal bytes, the least significant first.

    The sign is turned to the lowest bit: the highest plane then holds exponents alone, of which
    trained weights have few.

    Args:
        values: `(n,)` of a floating type of two to eight bytes.

    Returns:
        As many `(n,)` planes as a value has bytes.
    """
    bits = _bits(values)
    width = bits.itemsize * 8
    turned = (bits << 1) | (bits >> (width - 1))
    octets = turned.view(np.uint8).reshape(len(bits), bits.itemsize)
    return [np.ascontiguousarray(octets[:, place]) for place in range(bits.itemsize)]


def join(planes: list[Bytes], dtype: torch.dtype) -> Tensor:
    """The floats that `split` took apart."""
    bits = np.empty(len(planes[0]), _UNSIGNED[len(planes)])
    octets = bits.view(np.uint8).reshape(len(bits), bits.itemsize)
    for place, plane in enumerate(planes):
        octets[:, place] = plane
    signs = bits << (bits.itemsize * 8 - 1)
    bits >>= 1
    bits |= signs
    return torch.from_numpy(bits.view(np.uint8)).view(dtype)


def pack_bits(bits: NDArray[np.bool_]) -> Bytes:
    """Eight bits to a byte, the first in the highest place; the last byte is filled with zeros."""
    return np.packbits(bits)


def unpack_bits(packed: Bytes, count: int) -> NDArray[np.bool_]:
    """The first `count` bits that `pack_bits` packed."""
    return np.unpackbits(packed, count=count).view(np.bool_)


def take_bits(stream: Stream, count: int) -> NDArray[np.bool_]:
    """The next bits of a stream, which `pack_bits` packed.

    Raises:
        PackFileError: where the stream is damaged, or its last byte is not filled with zeros.
    """
    packed = stream.take(-(-count // 8))
    if count % 8 and packed[-1] & (0xFF >> count % 8):
        raise PackFileError(f"stream {stream.name!r} is not filled with zeros; make the file again")
    return unpack_bits(packed, count)


def entropy(bits: NDArray[np.bool_] | Tensor) -> float:
    """Bytes of the order-0 entropy of some bits."""
    count = len(bits)
    return count * binary_entropy(float(bits.sum()) / count) / 8 if count else 0.0


def binary_entropy(share: float) -> float:
    """Bits of the entropy of one bit that is set with that probability."""
    p = np.array([share, 1 - share])
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def raw(values: Tensor) -> Bytes:
    """The bytes of a tensor, row-major and little-endian."""
    return values.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()


def values_of(octets: Bytes, dtype: torch.dtype) -> Tensor:
    """The values, `(n,)`, of which these are the bytes: what `raw` made, without the shape."""
    # torch cannot look at no bytes as at anything else.
    return torch.from_numpy(octets).view(dtype) if len(octets) else torch.empty(0, dtype=dtype)


def _bits(values: Tensor) -> NDArray[np.unsignedinteger]:
    # Through bytes, because numpy has no bfloat16.
    return raw(values).view(_UNSIGNED[values.element_size()])
