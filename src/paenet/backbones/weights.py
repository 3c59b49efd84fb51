"""Reading trained weights, and holding them against the network that they are for."""

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from paenet.backbones.errors import WeightsError
from paenet.backbones.pretrained import PRETRAINED, fetch
from paenet.errors import first_line, suggest

PICKLED = (".pt", ".pth")
"""Endings of state dicts as torch saves them, read without unpickling anything but tensors."""

CLASSIFIER = "logits."  # facenet-pytorch's, over the people that it was trained on
COUNTER = "num_batches_tracked"  # batches that a norm has seen; nothing depends on it here


@dataclass(frozen=True, slots=True)
class WeightsInfo:
    """Where weights come from.

    Attributes:
        name: the pretrained weights' name, or the file's.
        source: who trained what, and on what.
        terms: under which terms they may be used, as far as anybody said.
        sha256: of the file, in hexadecimal.
        url: where they were published; None where that is not known.
        file: what was read.
    """

    name: str
    source: str
    terms: str
    sha256: str
    url: str | None
    file: Path


def read_weights(name_or_file: str | Path) -> tuple[dict[str, Tensor], WeightsInfo]:
    """Reads weights; fetches them first where a name was given and the cache has none.

    Args:
        name_or_file: one of `PRETRAINED`, a safetensors file, or a state dict that torch saved
            (`.pt`, `.pth`), of which facenet-pytorch's classifier is left out.

    Returns:
        The state dict in float32 (counters stay int64), every value finite, and where it is from.

    Raises:
        WeightsError: where there is no such file, it cannot be fetched, is damaged or is not what
            it should be; names the file and the key.
    """
    known = PRETRAINED.get(str(name_or_file))
    file = Path(name_or_file) if known is None else fetch(known)
    if not file.is_file():
        what = "not a file" if file.exists() else "there is no such file"
        raise WeightsError(
            f"{file}: {what}; give a safetensors file or a known name"
            f"{suggest(str(name_or_file), PRETRAINED)}"
        )
    try:
        sha256 = _sha256(file)
        tensors, about = (_read_pickled if file.suffix in PICKLED else _read_safetensors)(file)
    except OSError as error:
        raise WeightsError(f"{file}: cannot be read ({error.strerror or error})") from error
    if not tensors:
        raise WeightsError(f"{file}: it holds no tensors; give a file of trained weights")
    state = {key: _checked(file, key, tensor) for key, tensor in tensors.items()}
    return state, _info(file, sha256, about)


def check_fits(state: Mapping[str, Tensor], network: nn.Module, info: WeightsInfo) -> None:
    """Holds weights against a network; it may be on the meta device.

    Raises:
        WeightsError: names the file and the first key that is missing, has another shape or has
            no place in the network.
    """
    expected = network.state_dict()
    kind = type(network).__name__
    for key, tensor in expected.items():
        if key in state and state[key].shape != tensor.shape:
            raise WeightsError(
                f"{info.file}: {key!r} has shape {list(state[key].shape)} where {kind} has "
                f"{list(tensor.shape)}; build it with the arguments that the weights are for, at "
                "width 1"
            )
    missing = [key for key in expected if key not in state and not key.endswith(COUNTER)]
    strange = [key for key in state if key not in expected]
    if missing:
        hint = f", and {strange[0]!r} is unknown" if strange else ""
        raise WeightsError(
            f"{info.file}: {missing[0]!r} is missing{_others(missing)}{hint}; give weights that "
            f"were trained with {kind}"
        )
    if strange:
        raise WeightsError(
            f"{info.file}: {strange[0]!r} has no place in {kind}{_others(strange)}"
            f"{suggest(strange[0], expected)}"
        )


def load_weights(name_or_file: str | Path, network: nn.Module) -> WeightsInfo:
    """Puts trained weights into `network`; arguments, result and errors as `read_weights`.

    The network is left as it was where they do not fit (`check_fits`).
    """
    state, info = read_weights(name_or_file)
    check_fits(state, network, info)
    network.load_state_dict(state, strict=False)  # strict but for the counters, as checked
    return info


def _read_safetensors(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(file, framework="pt") as opened:
            keys = opened.keys()
            return {key: opened.get_tensor(key) for key in keys}, opened.metadata() or {}
    except (SafetensorError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(
            f"{file}: not a complete safetensors file ({first_line(error)}); give it again, whole"
        ) from error


def _read_pickled(file: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with warnings.catch_warnings():  # torch warns of strange pickles before it refuses them
            warnings.simplefilter("ignore")
            state = torch.load(file, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:  # whatever a damaged or hostile pickle runs into
        raise WeightsError(
            f"{file}: not a complete state dict of tensors ({first_line(error)}); give one that "
            "torch.save wrote, or better a safetensors file"
        ) from error
    if not isinstance(state, Mapping):
        raise WeightsError(f"{file}: holds a {type(state).__name__}; give a state dict of tensors")
    return {key: tensor for key, tensor in state.items() if not _is_classifier(key)}, {}


def _is_classifier(key: object) -> bool:
    return isinstance(key, str) and key.startswith(CLASSIFIER)


def _checked(file: Path, key: object, tensor: Any) -> Tensor:
    """The tensor in float32 with storage of its own, if it can be trusted."""
    if not isinstance(key, str) or not isinstance(tensor, Tensor):
        raise WeightsError(
            f"{file}: {key!r} holds a {type(tensor).__name__}, not a tensor; give the state dict "
            "itself"
        )
    if tensor.layout != torch.strided or tensor.is_quantized or tensor.is_meta:
        raise WeightsError(f"{file}: {key!r} is not a dense tensor; save it dense")
    # A view may claim any size over a few stored bytes: converting it would fill the memory.
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise WeightsError(f"{file}: {key!r} is a view of repeated values; save it contiguous")
    if key.endswith(COUNTER) and not tensor.is_floating_point() and not tensor.is_complex():
        return tensor.detach().to(torch.int64)
    if not tensor.is_floating_point():
        raise WeightsError(f"{file}: {key!r} is {tensor.dtype}; weights must be floats")
    values = tensor.detach().to(torch.float32, copy=True).contiguous()
    if not values.isfinite().all():
        raise WeightsError(f"{file}: {key!r} holds NaN or infinite values; the file is damaged")
    return values


def _info(file: Path, sha256: str, about: Mapping[str, str]) -> WeightsInfo:
    for known in PRETRAINED.values():
        if known.sha256 == sha256:
            return WeightsInfo(known.name, known.source, known.terms, sha256, known.url, file)
    return WeightsInfo(
        name=file.name,
        source=_line(about.get("source", "a file; it does not say from where")),
        terms=_line(about.get("terms", about.get("license", "not stated in the file"))),
        sha256=sha256,
        url=None,
        file=file,
    )


def _line(text: str) -> str:
    """What a stranger's file says of itself, fit for a line on the screen."""
    return "".join(c if c.isprintable() else " " for c in text[:300])


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _others(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
