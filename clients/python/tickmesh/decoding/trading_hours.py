"""What times of day tell about the clock that showed them: trading begins and ends at known hours.

The hours are the exchanges' published regular hours of continuous trading (and, for US stocks, the
extended ones); they serve for a guess that a person confirms, never for a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

_DAY: Final = 86_400
_FRIDAY: Final = 5
_NEAR_OPEN: Final = 120
_AROUND: Final = 300
_BUSIER: Final = 3
_LEAST: Final = 20


@dataclass(frozen=True, slots=True)
class Session:
    """Hours of trading, on the clock of a zone.

    Attributes:
        name: Whose hours they are.
        zone: IANA name of the zone.
        opens: Seconds after midnight.
        closes: Seconds after midnight.
        earliest: When the first orders of the day are taken, in seconds after midnight.
    """

    name: str
    zone: str
    opens: int
    closes: int
    earliest: int


def _session(name: str, zone: str, opens: str, closes: str, *, earliest: str) -> Session:
    seconds = (int(text[:2]) * 3_600 + int(text[3:]) * 60 for text in (opens, closes, earliest))
    return Session(name, zone, *seconds)


SESSIONS: Final = (
    _session("US stocks", "America/New_York", "09:30", "16:00", earliest="04:00"),
    _session("US stocks, extended hours", "America/New_York", "04:00", "20:00", earliest="04:00"),
    _session("London", "Europe/London", "08:00", "16:30", earliest="07:50"),
    _session("Xetra and Euronext", "Europe/Paris", "09:00", "17:30", earliest="07:15"),
    _session("Tokyo", "Asia/Tokyo", "09:00", "15:30", earliest="08:00"),
    _session("Hong Kong", "Asia/Hong_Kong", "09:30", "16:00", earliest="09:00"),
    _session("Sydney", "Australia/Sydney", "10:00", "16:00", earliest="07:00"),
)


@dataclass(frozen=True, slots=True)
class ClockEvidence:
    """A zone, and why its clock is likely to have shown the times.

    Attributes:
        zone: IANA name.
        reason: What the times show.
    """

    zone: str
    reason: str


def local_clock(seconds: Sequence[float]) -> ClockEvidence | None:
    """The only zone whose trading hours times of one day's local clock tell of.

    Args:
        seconds: Seconds after midnight on an unknown clock.
    """
    found = {
        session.zone: ClockEvidence(session.zone, f"{reason} ({session.name})")
        for session in reversed(SESSIONS)
        if (reason := _fits(seconds, session)) is not None
    }
    return next(iter(found.values())) if len(found) == 1 else None


def clock_of_instants(seconds: Sequence[float]) -> ClockEvidence | None:
    """The only zone in whose trading hours, on its own clock, instants of one day lie.

    Args:
        seconds: Seconds since 1970 UTC.
    """
    if not seconds or max(seconds) - min(seconds) >= _DAY:
        return None
    if min(seconds) % _DAY < _NEAR_OPEN:
        return None  # recordings are cut at midnight UTC, whatever is recorded
    found = {}
    for session in SESSIONS:
        clock = ZoneInfo(session.zone)
        moment = datetime.fromtimestamp(min(seconds), UTC).astimezone(clock)
        if moment.isoweekday() > _FRIDAY:
            continue
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        local = [second - midnight.timestamp() for second in seconds]
        reason = _fits(local, session)
        if reason is not None:
            found[session.zone] = ClockEvidence(session.zone, f"{reason} ({session.name})")
    return next(iter(found.values())) if len(found) == 1 else None


def _fits(seconds: Sequence[float], session: Session) -> str | None:
    """What of the times tells of a session's hours."""
    if not seconds or max(seconds) >= _DAY:
        return None
    first, last = min(seconds), max(seconds)
    begins = 0 <= first - session.opens <= _NEAR_OPEN
    within = f"{clock_text(first)} to {clock_text(last)}"
    if begins and last <= session.closes + _NEAR_OPEN:
        return f"{within} begins with trading at {clock_text(session.opens)}"
    if session.earliest <= first < session.opens - _AROUND and last > session.opens + _AROUND:
        before = sum(session.opens - _AROUND <= second < session.opens for second in seconds)
        after = sum(session.opens <= second < session.opens + _AROUND for second in seconds)
        if after >= max(_LEAST, _BUSIER * before):
            return (
                f"{within}; {after} records in the five minutes after "
                f"{clock_text(session.opens)}, {before} in those before"
            )
    return None


def clock_text(second: float) -> str:
    """A second of the day as it stands on a clock."""
    whole = int(second)
    return f"{whole // 3_600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
