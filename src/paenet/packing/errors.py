"""The error of this room."""

from paenet.errors import PaenetError


class PackingError(PaenetError):
    """A pack was asked for something that it cannot do."""
