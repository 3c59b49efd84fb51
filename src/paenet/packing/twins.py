"""Copies of networks, made sooner than `copy.deepcopy` makes them."""

from __future__ import annotations

import copy
from typing import Any

from torch import nn


def twin(module: nn.Module, memo: dict[int, Any]) -> nn.Module:
    """A deep copy of a module.

    Most of what a module holds are empty dictionaries of hooks, over which `copy.deepcopy` takes
    nearly all of its time. A module that has its own way of being copied is copied in that way.

    Args:
        memo: by the identity of an object, what stands in for it in the copy; as for `deepcopy`.
    """
    if id(module) in memo:
        found: nn.Module = memo[id(module)]
        return found
    kind = type(module)
    if hasattr(kind, "__deepcopy__") or kind.__getstate__ is not object.__getstate__:
        return copy.deepcopy(module, memo)
    new = kind.__new__(kind)
    memo[id(module)] = new
    for name, value in vars(module).items():
        new.__dict__[name] = _copied(name, value, memo)
    return new


def _copied(name: str, value: Any, memo: dict[int, Any]) -> Any:
    if name == "_modules":
        return {n: None if m is None else twin(m, memo) for n, m in value.items()}
    if isinstance(value, dict) and not value:
        return value.copy()
    return copy.deepcopy(value, memo)
