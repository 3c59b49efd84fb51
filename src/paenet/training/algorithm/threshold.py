"""What a stage of a task must reach on validation for it to be kept."""

from __future__ import annotations


class Threshold:
    """The goal, or what a task that missed it settles for.

    A task that asked for more than training could reach must not keep every free weight: it
    settles for what was reached, as loosely as for its goal. Where a later stage reaches more
    (fewer weights can generalize better), what must be held rises with it, up to the goal.

    Args:
        goal: the goal's value of the metric.
        within: how far below its reference the goal is; 0 where it has none.

    Attributes:
        value: the least that holds.
    """

    def __init__(self, goal: float, within: float) -> None:
        self.value = goal
        self._goal = goal
        self._within = within
        self._settled = False

    def holds(self, reached: float) -> bool:
        """Whether a stage that reached so much may be kept."""
        return reached >= self.value

    def settle_for(self, reached: float) -> None:
        """Takes what was reached for the best that there is, for now."""
        self._settled = True
        self.value = min(self._goal, reached - self._within)

    def note(self, reached: float) -> None:
        """Hears of what a stage reached; only a task that has settled can be moved by it."""
        if self._settled:
            within = 0.0 if reached >= self._goal else self._within
            self.value = max(self.value, min(self._goal, reached - within))
