"""A circuit breaker: what fails again and again is left alone for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tickmesh_serving.clock import Clock

_FAILURES_TO_OPEN = 3
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0


class CircuitBreaker:
    """Closed, calls pass. After three failures in a row it opens, and lets one call try later.

    The pause doubles with every try that fails, up to ten seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self._try_at_ns = 0
        self.is_open = False

    def admits(self) -> bool:
        """Say whether a call may be made; while open, one at each end of a pause."""
        if not self.is_open:
            return True
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._try_at_ns:
            return False
        self._pause()
        return True

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures = 0
        self._pause_seconds = _FIRST_PAUSE_SECONDS
        self.is_open = False

    def failed(self) -> None:
        """A call was not answered, or not well."""
        self._failures += 1
        if self._failures >= _FAILURES_TO_OPEN and not self.is_open:
            self.is_open = True
            self._pause()

    def _pause(self) -> None:
        self._try_at_ns = self._clock.monotonic_ns() + int(self._pause_seconds * 1e9)
        self._pause_seconds = min(2 * self._pause_seconds, _LONGEST_PAUSE_SECONDS)
