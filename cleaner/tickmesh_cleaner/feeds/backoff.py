"""How long to wait before a feed is asked again."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 60.0
LONGEST_RETRY_AFTER_SECONDS = 3_600.0
_JITTER = 0.1


class Backoff:
    """Doubles from try to try, with full jitter; one success forgets it all."""

    def __init__(self, chance: random.Random | None = None) -> None:
        """Begin without a failure.

        Args:
            chance: Where jitter comes from; the machine's by default.
        """
        self._chance = chance or random.SystemRandom()
        self._failures = 0

    def failed(self, retry_after_seconds: float | None = None) -> float:
        """Note a failure; answers how long to wait, never less than the server asked for."""
        ceiling = min(FIRST_SECONDS * 2.0**self._failures, LONGEST_SECONDS)
        self._failures = min(self._failures + 1, 32)
        drawn = self._chance.uniform(ceiling / 2, ceiling)
        if retry_after_seconds is None:
            return drawn
        return max(drawn, min(retry_after_seconds, LONGEST_RETRY_AFTER_SECONDS))

    def succeeded(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def spread(self, seconds: float) -> float:
        """An interval with a little jitter, so that many cleaners do not poll in step."""
        return seconds * self._chance.uniform(1 - _JITTER, 1 + _JITTER)


def retry_after_seconds(value: str | None, *, now_ns: int) -> float | None:
    """What a `Retry-After` header asks for; None without one, or one that says nothing."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max((at - datetime.fromtimestamp(now_ns / 1e9, UTC)).total_seconds(), 0.0)
