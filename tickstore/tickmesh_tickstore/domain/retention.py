"""How long and how much of a dataset is kept, and what producers may use of it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KEEP_EVERYTHING", "UNLIMITED", "DatasetLimits", "Retention"]


@dataclass(frozen=True, slots=True)
class Retention:
    """Bounds of what is kept; whole segments are dropped, the oldest in arrival order first.

    Attributes:
        max_age_ns: Rows older than this are dropped, in ns; no bound when 0. A row is as old as its
            event time says, but never younger than its ingest time: a clock in the future keeps
            nothing for ever. Without an event time the ingest time decides.
        max_bytes: The oldest rows are dropped while segments hold more bytes; no bound when 0.
    """

    max_age_ns: int = 0
    max_bytes: int = 0

    @property
    def keeps_everything(self) -> bool:
        """Whether nothing is ever dropped."""
        return not self.max_age_ns and not self.max_bytes


@dataclass(frozen=True, slots=True)
class DatasetLimits:
    """What the producers of one dataset may use.

    Attributes:
        max_bytes: Puts are refused while the dataset holds more bytes; no bound when 0.
        max_put_streams: Put streams open at the same time; no bound when 0.
    """

    max_bytes: int = 0
    max_put_streams: int = 0


KEEP_EVERYTHING = Retention()
UNLIMITED = DatasetLimits()
