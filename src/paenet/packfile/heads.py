"""Heads as data: modules of a few known layers, told in JSON and made from it again."""

from collections.abc import Mapping
from reprlib import repr as brief  # of hostile values too: short, and never too deep
from typing import Any

import torch
from torch import nn

from paenet.errors import first_line, suggest
from paenet.packfile.errors import PackFileError

_SETTINGS: dict[type[nn.Module], dict[str, type]] = {
    nn.Identity: {},
    nn.Linear: {"in_features": int, "out_features": int, "bias": bool},
    nn.Dropout: {"p": float, "inplace": bool},
    nn.ReLU: {"inplace": bool},
    nn.PReLU: {"num_parameters": int},
    nn.BatchNorm1d: {
        "num_features": int,
        "eps": float,
        "momentum": float,
        "affine": bool,
        "track_running_stats": bool,
    },
    nn.Flatten: {"start_dim": int, "end_dim": int},
}
"""Per layer, the arguments that its class takes and its instances tell."""

_KINDS = {kind.__name__: kind for kind in _SETTINGS}
_SEQUENTIAL = nn.Sequential.__name__
_DEEPEST = 16  # Sequentials within each other; a head of ours has one


def describe(head: nn.Module) -> dict[str, Any] | None:
    """The head as JSON types; None where it holds anything but the known layers as they are made.

    A subclass counts as unknown, for it may compute something else, and so does a layer that has
    been given tensors, or a forward of its own.
    """
    description = _describe(head, _DEEPEST)
    return description if description is not None and _tells(description, head) else None


def _tells(description: Mapping[str, Any], head: nn.Module) -> bool:
    """Whether what is made of a description can take the head's place."""
    if any("forward" in vars(layer) for layer in head.modules()):
        return False
    try:
        built = build(description)
    except PackFileError:  # such as a name that only a dictionary of modules can have
        return False
    return _shapes(built) == _shapes(head)


def _shapes(head: nn.Module) -> dict[str, torch.Size]:
    return {key: value.shape for key, value in head.state_dict().items()}


def _describe(head: nn.Module, depth: int) -> dict[str, Any] | None:
    if depth == 0:
        return None
    if type(head) is nn.Sequential:
        # `_modules`, because `named_children` leaves out a layer that occurs twice.
        layers = ((name, layer) for name, layer in head._modules.items() if layer is not None)
        children = [[name, _describe(layer, depth - 1)] for name, layer in layers]
        if any(description is None for _, description in children):
            return None
        return {"type": _SEQUENTIAL, "children": children}
    settings = _SETTINGS.get(type(head))
    if settings is None:
        return None
    if isinstance(head, nn.BatchNorm1d) and head.affine and head._parameters["bias"] is None:
        return None
    found: dict[str, Any] = {"type": type(head).__name__}
    for name, kind in settings.items():
        value = getattr(head, name)
        if name == "bias":
            value = value is not None
        if value is None:
            return None  # such as BatchNorm1d(momentum=None)
        found[name] = kind(value)
    return found


def build(description: Mapping[str, Any]) -> nn.Module:
    """The head that `describe` told, without values: on the meta device, in evaluation mode.

    Raises:
        PackFileError: where the description is not one that `describe` could have given.
    """
    with torch.device("meta"):
        return _build(description, _DEEPEST).eval()


def _build(description: object, depth: int) -> nn.Module:
    if not isinstance(description, Mapping) or depth == 0:
        raise PackFileError(f"head: {brief(description)} describes no layer; make the file again")
    kind = description.get("type")
    if kind == _SEQUENTIAL:
        return _sequential(description.get("children"), depth)
    if not isinstance(kind, str) or kind not in _KINDS:
        near = suggest(kind, [*_KINDS, _SEQUENTIAL]) if isinstance(kind, str) else ""
        raise PackFileError(f"head: layer type {brief(kind)} is not known{near}")
    settings = _SETTINGS[_KINDS[kind]]
    given = {key: value for key, value in description.items() if key != "type"}
    if {key: type(value) for key, value in given.items()} != settings:
        wanted = ", ".join(f"{key} ({value.__name__})" for key, value in settings.items())
        raise PackFileError(f"head: {kind} takes {wanted or 'nothing'}; found {brief(given)}")
    try:
        return _KINDS[kind](**given)
    except (RuntimeError, ValueError, TypeError, OverflowError) as error:
        reason = first_line(error)
        raise PackFileError(f"head: no {kind} is made of {brief(given)} ({reason})") from None


def _sequential(children: object, depth: int) -> nn.Sequential:
    network = nn.Sequential()
    for child in children if isinstance(children, list) else [None]:
        if not isinstance(child, list) or len(child) != 2 or not isinstance(child[0], str):
            raise PackFileError(f"head: children: {brief(child)} is no pair of name and layer")
        try:
            network.add_module(child[0], _build(child[1], depth - 1))
        except (KeyError, TypeError) as error:
            raise PackFileError(f"head: children: the name {brief(child[0])} ({error})") from None
    return network
