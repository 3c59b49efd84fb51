"""The tasks that a caller asks for."""

from collections.abc import Collection


def names_of(tasks: str | Collection[str]) -> tuple[str, ...]:
    """Task names as callers give them: one, or several; a text is one name, not its letters."""
    return (tasks,) if isinstance(tasks, str) else tuple(tasks)
