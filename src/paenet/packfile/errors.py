"""The error and the warning of this room, and how a message gets the file's name."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from paenet.errors import PaenetError


class PackFileError(PaenetError):
    """A file cannot be written, or is not what a `.pae` must be."""


class CodeNeededError(PackFileError):
    """A file's network needs code that does not come with paenet and was not handed over."""


class PackFileWarning(UserWarning):
    """A file holds something that this version passes over."""


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Puts the file's name before the message of whatever error of ours leaves the body."""
    try:
        yield
    except PaenetError as error:
        kind = type(error) if isinstance(error, PackFileError) else PackFileError
        raise kind(f"{path}: {error}") from error


def damaged(fact: str) -> PackFileError:
    """The error of a file that is not as it was written."""
    return PackFileError(f"is damaged: {fact}; copy it again from where it came from")
