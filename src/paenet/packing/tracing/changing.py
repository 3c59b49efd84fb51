"""`x += y` and its like in a traced network: they change x, whatever other names it has.

torch.fx traces them as `x = x + y`, which computes otherwise where x has another name.
"""

import operator
from collections.abc import Callable
from typing import Any

from torch import fx
from torch.fx.proxy import Attribute

ANEW: dict[Any, Callable[..., Any]] = {
    operator.iadd: operator.add,
    operator.isub: operator.sub,
    operator.imul: operator.mul,
    operator.itruediv: operator.truediv,
    operator.ifloordiv: operator.floordiv,
    operator.imod: operator.mod,
    operator.ipow: operator.pow,
    operator.iand: operator.and_,
    operator.ior: operator.or_,
    operator.ixor: operator.xor,
    operator.ilshift: operator.lshift,
    operator.irshift: operator.rshift,
}
"""The functions that work in place, each with the one that makes the same anew."""


class Changing(fx.Proxy):
    """What stands for a value while a network is traced, with operators that work in place."""

    def __getattr__(self, k: str) -> Attribute:
        return _ChangingAttribute(self, k)


class _ChangingAttribute(Changing, Attribute):
    pass


def _traced(function: Callable[..., Any]) -> Callable[..., fx.Proxy]:
    def change(changed: fx.Proxy, other: Any) -> fx.Proxy:
        return changed.tracer.create_proxy("call_function", function, (changed, other), {})

    return change


for _function in ANEW:
    setattr(Changing, f"__{_function.__name__}__", _traced(_function))
