"""JSON from outside: no key twice, no number that JSON lacks, no nesting without end."""

import json
import math
from collections import Counter
from reprlib import repr as brief  # of hostile values too: short, and never too deep
from typing import Any, NoReturn

from paenet.packfile.errors import damaged

__all__ = ["DEEPEST", "brief", "parse", "too_deep"]

DEEPEST = 64  # lists and objects within each other


def parse(text: str | bytes, what: str) -> dict[str, Any]:
    """The object that a text holds.

    Args:
        what: of the file, for the error.

    Raises:
        PackFileError: where it holds anything else.
    """
    try:
        text = text if isinstance(text, str) else text.decode()  # json would guess the encoding
        value = json.loads(
            text,
            object_pairs_hook=_without_duplicates,
            parse_float=_finite,
            parse_constant=_no_constant,
        )
    except RecursionError:
        raise damaged(f"its {what} is nested too deeply") from None
    except ValueError as error:  # of JSON, of Unicode, and of the three hooks
        raise damaged(f"its {what} is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise damaged(f"its {what} is not a JSON object")
    if too_deep(value):
        raise damaged(f"its {what} is nested too deeply")
    return value


def too_deep(value: object) -> bool:
    """Whether a JSON value is nested deeper than code that follows it may recurse."""
    level = [value]
    for _ in range(DEEPEST):
        nested = [item for item in level if isinstance(item, dict | list)]
        level = [c for n in nested for c in (n.values() if isinstance(n, dict) else n)]
    return any(isinstance(item, dict | list) for item in level)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"key {brief(twice)} occurs twice")
    return result


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{brief(text)} is larger than any float64")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")
