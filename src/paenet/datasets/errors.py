"""The error of this room."""

from paenet.errors import PaenetError


class DataError(PaenetError):
    """A table, folder, archive or image that cannot be used as it is."""
