"""Time, passed in so that tests own it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of instants and of durations."""

    def now_ns(self) -> int:
        """Return the wall time: nanoseconds since 1970-01-01T00:00:00Z."""
        ...

    def monotonic_ns(self) -> int:
        """Return nanoseconds since some fixed instant; never goes back. For durations."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Return the wall time: nanoseconds since 1970-01-01T00:00:00Z."""
        return time.time_ns()

    def monotonic_ns(self) -> int:
        """Return nanoseconds since some fixed instant; never goes back."""
        return time.monotonic_ns()
