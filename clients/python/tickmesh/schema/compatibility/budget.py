"""How much work one comparison may do: counted steps, and a deadline behind them."""

from __future__ import annotations

import time

_STEPS_BETWEEN_LOOKS = 8


class WorkSpentError(Exception):
    """The work allowed is used up; what was asked stays undecided."""


class Budget:
    """A number of steps, the same on every machine, and processor seconds as the last resort.

    The deadline counts this thread's processor time, so that a busy machine changes no verdict.
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
        self._deadline = time.thread_time() + seconds
        self._until_look = 0

    @property
    def spent(self) -> bool:
        """Whether nothing is left."""
        return self._left <= 0 or time.thread_time() > self._deadline

    def spend(self, steps: int = 1) -> None:
        """Take steps.

        Raises:
            WorkSpentError: There are none left, or the time is up.
        """
        if self._within is not None:
            self._within.spend(steps)
        self._left -= steps
        self._until_look -= steps
        if self._left <= 0:
            raise WorkSpentError
        if self._until_look <= 0:
            self._until_look = _STEPS_BETWEEN_LOOKS
            if time.thread_time() > self._deadline:
                self._left = 0
                raise WorkSpentError
