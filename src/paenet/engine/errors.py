"""What goes wrong when tasks are run together."""

from paenet.errors import PaenetError


class EngineError(PaenetError):
    """Names the task or the input, and says what was expected."""
