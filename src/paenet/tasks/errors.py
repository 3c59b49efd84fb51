"""The error of this room."""

from paenet.errors import PaenetError


class TaskError(PaenetError):
    """A task was described wrongly, or was given labels or outputs that it cannot use.

    Attributes:
        row: the row that the message is about, from 0, so that a caller who knows the file can
            name the image; None where the message is about no row.
    """

    def __init__(self, message: str, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row
