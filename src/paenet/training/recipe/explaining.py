"""What is wrong with a recipe, in one line: the key, what was found, what to give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from paenet.errors import suggest

# By pydantic's name of the error; `{...}` is filled in from its context.
_MENDS = {
    "int_type": "give a whole number",
    "int_parsing": "give a whole number",
    "int_from_float": "give a whole number",
    "float_type": "give a number",
    "float_parsing": "give a number",
    "finite_number": "give a finite number",
    "string_type": "give text (in quotes, where YAML takes it for something else)",
    "model_type": "give a mapping of keys",
    "dict_type": "give a mapping of keys",
    "list_type": "give a list",
    "tuple_type": "give a list",
    "greater_than": "give more than {gt:g}",
    "greater_than_equal": "give at least {ge:g}",
    "less_than": "give less than {lt:g}",
    "less_than_equal": "give at most {le:g}",
    "too_short": "give {min_length} or more",
    "too_long": "give {max_length} or less",
    "literal_error": "give {expected}",
}
_LONGEST = 60  # characters of a value that a message repeats


def explain(
    error: ValidationError,
    model: type[BaseModel],
    *,
    within: tuple[int | str, ...] = (),
    beside: Sequence[str] = (),
) -> str:
    """The first thing wrong with a document, and how many more there are.

    Args:
        error: of validating the document as `model`.
        within: the section that the user's document is, where it is only a part of the model.
        beside: keys that may stand in the user's document beside those of that section.
    """
    # A misspelt key is often missing too, and its spelling is what the user wants to hear of.
    problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
    first = problems[0]
    location = tuple(first["loc"])
    where = _where(location[len(within) :] if location[: len(within)] == within else location)
    kind, found = first["type"], first.get("input")
    if kind == "extra_forbidden":
        known = list(_section_at(model, location[:-1]).model_fields)
        known += beside if location[:-1] == within else ()
        text = f"{where}: unknown key{suggest(str(location[-1]), known)}"
    elif kind == "missing":
        text = f"{where}: missing; every recipe needs it"
    elif kind == "value_error":  # from our own validators, which say it all
        message = first["msg"].removeprefix("Value error, ")
        text = f"{where}: {message}" if where else message
    else:
        mend = _MENDS.get(kind, first["msg"]).format_map(first.get("ctx", {}))
        text = f"{where}: {_shown(found)}{mend}"
    more = len(problems) - 1
    return text + (f" (and {more} more)" if more else "")


def kind_of(value: Any) -> str:
    """What sort of YAML a value is."""
    names = {
        type(None): "nothing",
        dict: "a mapping",
        list: "a list",
        str: "text",
        int: "a number",
        float: "a number",
    }
    return names.get(type(value), f"a {type(value).__name__}")


def _shown(found: Any) -> str:
    if isinstance(found, BaseModel):
        return ""
    text = repr(found)
    return f"{text if len(text) <= _LONGEST else kind_of(found)}: "


def _where(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".")


def _section_at(model: type[BaseModel], location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section that a location leads to."""
    for part in location:
        if isinstance(part, str) and part in model.model_fields:
            model = next(_sections(model.model_fields[part].annotation), model)
    return model


def _sections(annotation: Any) -> Any:
    """Every section in a type such as `tuple[TaskPlan, ...]` or `Budget | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _sections(part)
