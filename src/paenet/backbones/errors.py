"""The errors of this room."""

from paenet.errors import PaenetError


class BackboneError(PaenetError):
    """A backbone was asked for that does not exist or cannot be built."""


class WeightsError(PaenetError):
    """Pretrained weights cannot be had, read, or put into a network; names the file and the key."""
