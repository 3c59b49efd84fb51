"""The error of this room."""

from paenet.errors import PaenetError


class FacesError(PaenetError):
    """An image, a box or a folder in which faces cannot be found or cut out."""
