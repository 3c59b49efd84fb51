"""Methods that are no packs, on equal terms: the same data, loop, budget and seeds.

The table of packs' methods is `paenet.packing.METHODS`; this is the one beside it.
"""

from __future__ import annotations

from collections.abc import Callable

from paenet.errors import suggest
from paenet.packing import METHODS, Method, method
from paenet.training.errors import RecipeError
from paenet.training.rivals.finetune import FineTune
from paenet.training.rivals.joint import Joint
from paenet.training.rivals.lessons import files_of, run_rival
from paenet.training.rivals.lora import Lora
from paenet.training.rivals.rival import Rival, Start

RIVALS: dict[str, type[Rival]] = {"finetune": FineTune, "joint": Joint, "lora": Lora}


def kind_of(asked: str) -> type[Rival] | Method:
    """What is asked for as `NAME` or `NAME:SETTING`: a rival's class, or a pack's method."""
    name = asked.partition(":")[0]
    return RIVALS[name] if name in RIVALS else method(name)


def rival(asked: str) -> Callable[[Start], Rival] | None:
    """What makes the rival that is asked for as `NAME` or `NAME:SETTING`; None for a pack's method.

    Raises:
        RecipeError: where neither table has it (offers the nearest), or the setting is none.
        RunError: where the rival needs a library that is not installed.
    """
    name, colon, setting = asked.partition(":")
    if name in RIVALS:
        return RIVALS[name].choose(name, setting if colon else None)
    if name not in METHODS:
        raise RecipeError(f"unknown method {name!r}{suggest(name, [*METHODS, *RIVALS])}")
    if colon:
        raise RecipeError(f"method {name!r} takes no setting; write {name!r} alone")
    return None


__all__ = ["RIVALS", "Rival", "Start", "files_of", "kind_of", "rival", "run_rival"]
