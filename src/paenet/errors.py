"""The one error base, and what errors are put together from."""

from collections.abc import Iterable
from difflib import get_close_matches


class PaenetError(Exception):
    """Something the user can mend; the message is one line that says what and how."""


def first_line(error: BaseException) -> str:
    """What another library's error says in its first line, or the error's name where it is mute."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def suggest(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name.

    Returns:
        `"; did you mean 'gender'?"` where a known name is near, else `"; known: age, gender"`.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names) or 'none'}"
