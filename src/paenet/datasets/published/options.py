"""The options of a data set, which come from a recipe: each is checked, none is guessed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

from paenet.datasets.errors import DataError
from paenet.datasets.skipped import quoted


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
    found = math.nan
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):  # a whole number of hundreds of digits
            found = float(value)
    if not math.isfinite(found) or not low <= found <= high:
        span = "" if low == -math.inf else f" from {low:g} to {high:g}"
        raise DataError(f"{name} is {quoted(value)}; give a number{span}")
    return found


def yes_or_no(name: str, value: object) -> None:
    """Refuses a value that is neither true nor false.

    Raises:
        DataError: names the option and what was found.
    """
    if not isinstance(value, bool):
        raise DataError(f"{name} is {value!r}; give true or false")
