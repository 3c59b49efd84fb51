"""The options of a data set, which come from a recipe: each is checked, none is guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from paenet.datasets.errors import DataError


def one_of(name: str, value: object, known: Sequence[object]) -> None:
    """Refuses a value that is not among the known ones.

    Raises:
        DataError: names the option, what was found and what is known.
    """
    # By type, too: True is no fold, although it equals 1.
    if not any(type(value) is type(choice) and value == choice for choice in known):
        raise DataError(f"{name} is {value!r}; give one of {', '.join(map(str, known))}")


def number(name: str, value: object, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number from `low` to `high`.

    Raises:
        DataError: names the option, what was found and what is allowed.
    """
    fits = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits or not math.isfinite(value) or not low <= value <= high:  # type: ignore[operator,arg-type]
        span = "" if low == -math.inf else f" from {low:g} to {high:g}"
        raise DataError(f"{name} is {value!r}; give a number{span}")
    return float(value)  # type: ignore[arg-type]


def yes_or_no(name: str, value: object) -> None:
    """Refuses a value that is neither true nor false.

    Raises:
        DataError: names the option and what was found.
    """
    if not isinstance(value, bool):
        raise DataError(f"{name} is {value!r}; give true or false")
