"""The errors of this room."""

from paenet.errors import PaenetError


class RecipeError(PaenetError):
    """A recipe says something that cannot be run."""


class RunError(PaenetError):
    """A run cannot start or go on."""


class GoalMissed(RunError):
    """A task did not reach its goal within its budget; everything up to then is kept."""
