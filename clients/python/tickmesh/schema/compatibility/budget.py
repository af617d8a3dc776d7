"""How much work one comparison may do: counted steps, and a deadline behind them."""

from __future__ import annotations

import time

_MOST_SECONDS_OF_A_LOOK = 0.02
"""What counts at most of the time between two looks at the clock."""


class WorkSpentError(Exception):
    """The work allowed is used up; what was asked stays undecided."""


class Budget:
    """A number of steps, the same on every machine, and processor seconds as the last resort.

    Seconds are this thread's processor time, so that a busy machine changes no verdict. A pause in
    it that no work of ours explains, such as a collection of garbage in a process with many
    objects, counts as one short look: an ordinary comparison never comes near its last resort.
    """

    def __init__(self, *, steps: int, seconds: float, within: Budget | None = None) -> None:
        """Start counting now.

        Args:
            steps: How many steps may be taken.
            seconds: How much processor time this thread may take.
            within: A larger budget that the same steps are taken from.
        """
        self._within = within
        self._left = steps
        self._seconds_left = seconds
        self._looked_at = time.thread_time()

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        self._look()
        return self._left <= 0

    def spend(self, steps: int = 1) -> None:
        """Take steps.

        Raises:
            WorkSpentError: There are none left, or the time is up.
        """
        if self._within is not None:
            self._within.spend(steps)
        self._left -= steps
        self._look()
        if self._left <= 0:
            raise WorkSpentError

    def _look(self) -> None:
        now = time.thread_time()
        self._seconds_left -= min(now - self._looked_at, _MOST_SECONDS_OF_A_LOOK)
        self._looked_at = now
        if self._seconds_left <= 0:
            self._left = 0
