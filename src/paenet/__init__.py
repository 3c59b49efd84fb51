"""Many tasks in one network, learnt one after the other, none ever changed by the next.

The rooms (`paenet.packing`, `paenet.tasks`, ...) are imported when they are first used, so that
`import paenet` is quick and does not pull in torch.
"""

from importlib import import_module
from typing import Any

from paenet.collecting import no_collections
from paenet.errors import PaenetError

# No `import` statements: they would make every room depend on all the others.
_ROOMS = (
    *("backbones", "bench", "cli", "datasets", "engine", "faces", "packfile", "packing", "tasks"),
    "training",
)

# What most users need, by the room that has it.
_SHORTCUTS = {"Engine": "engine"}

__all__ = ["PaenetError"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return _version()
    if name in _ROOMS:
        with no_collections():
            return import_module(f"{__name__}.{name}")
    if name in _SHORTCUTS:
        return getattr(__getattr__(_SHORTCUTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_ROOMS, *_SHORTCUTS, "__version__"})


def _version() -> str:
    """The installed version; `0+unknown` for a source tree that was never installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("paenet")
    except PackageNotFoundError:
        return "0+unknown"
