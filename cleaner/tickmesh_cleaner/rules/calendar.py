"""Trading-session calendars: versioned data, turned into instants a year at a time."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tickmesh_cleaner.rules.rows import Integers

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)|24:00")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_NS = 1_000_000_000
_MOST_SESSIONS = 20
_MOST_DATES = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """Hours of trading that open on certain weekdays (0 is Monday).

    Attributes:
        days: The weekdays it opens on.
        opens: Minutes from midnight.
        closes: Minutes from midnight; at most `opens` when it closes the day after.
    """

    days: frozenset[int]
    opens: int
    closes: int


@dataclass(frozen=True)
class Calendar:
    """When a market trades, both ends of each session included.

    Attributes:
        name: Its name.
        version: The version of its data.
        zone: The time zone of its hours.
        sessions: Its hours.
        closed: Days on which no session opens.
        early_close: Days on which sessions close earlier, and at which minute.
        covers: The first and last day it speaks about; None for every day.
    """

    name: str
    version: str
    zone: ZoneInfo
    sessions: tuple[Session, ...]
    closed: frozenset[date]
    early_close: Mapping[date, int]
    covers: tuple[date, date] | None
    _years: dict[int, tuple[Integers, Integers]] = field(default_factory=dict, compare=False)

    def sessions_between(self, first_ns: int, last_ns: int) -> tuple[Integers, Integers]:
        """The openings and closings, ns since the epoch, of all sessions that touch a span.

        Both rise. Sessions that overlap or touch are one.
        """
        years = range(_utc(first_ns).year, _utc(last_ns).year + 1)
        # The last session of a year may reach into the next by its hours or by its time zone.
        found = [self._year(year) for year in range(years[0] - 1, years[-1] + 2)]
        opens = np.concatenate([opens for opens, _ in found])
        closes = np.concatenate([closes for _, closes in found])
        if len(opens) > 1:
            joined = opens[1:] <= np.maximum.accumulate(closes)[:-1]
            opens = opens[np.concatenate([[True], ~joined])]
            closes = np.maximum.accumulate(closes)[np.concatenate([~joined, [True]])]
        touching = slice(
            int(np.searchsorted(closes, first_ns)), int(np.searchsorted(opens, last_ns, "right"))
        )
        return opens[touching], closes[touching]

    def describe(self, instant_ns: int) -> str:
        """Why an instant lies in no session, in the calendar's own time."""
        local = _utc(instant_ns).astimezone(self.zone)
        when = f"{local:%Y-%m-%d %H:%M:%S} {self.zone.key}"
        if self.covers is not None and not self.covers[0] <= local.date() <= self.covers[1]:
            first, last = self.covers
            return f"{when} is beyond the calendar {self.name} {self.version}: {first} to {last}"
        hours = [f"{start:%H:%M}-{end:%H:%M}" for start, end in self._sessions_of(local.date())]
        trades = f"it trades {', '.join(hours)} that day" if hours else "it is closed that day"
        return f"{when} is in no session of {self.name} {self.version}: {trades}"

    def _year(self, year: int) -> tuple[Integers, Integers]:
        known = self._years.get(year)
        if known is None:
            spans = sorted(
                (_nanoseconds(start), _nanoseconds(end))
                for day in _days_of(year)
                for start, end in self._sessions_of(day)
            )
            table = np.array(spans, dtype=np.int64).reshape(-1, 2)
            known = self._years[year] = (table[:, 0], table[:, 1])
        return known

    def _sessions_of(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        """The sessions that open on a day."""
        if day in self.closed:
            return
        if self.covers is not None and not self.covers[0] <= day <= self.covers[1]:
            return
        early = self.early_close.get(day)
        for session in self.sessions:
            if day.weekday() not in session.days:
                continue
            closes = session.closes + (0 if session.closes > session.opens else 24 * 60)
            if early is not None:
                closes = min(closes, early)
            if closes > session.opens:
                yield self._at(day, session.opens), self._at(day, closes)

    def _at(self, day: date, minute: int) -> datetime:
        days, rest = divmod(minute, 24 * 60)
        midnight = datetime(day.year, day.month, day.day, tzinfo=self.zone)
        # Arithmetic on a zoned datetime is that of the clock on the wall.
        return midnight + timedelta(days=days, minutes=rest)


@lru_cache(maxsize=64)
def shipped_calendar(name: str) -> Calendar | None:
    """A calendar that comes with the cleaner; None when there is none of this name."""
    if not _NAME.fullmatch(name) or name not in shipped_names():
        return None
    data = json.loads((_folder() / f"{name}.json").read_text("utf-8"))
    return calendar_of(data, refuse=_damaged)


def shipped_names() -> tuple[str, ...]:
    """The calendars that come with the cleaner."""
    return tuple(sorted(file.name.removesuffix(".json") for file in _folder().iterdir()))


def calendar_of(data: Mapping[str, Any], *, refuse: Any) -> Calendar:
    """Read a calendar.

    Args:
        data: The calendar as JSON has it.
        refuse: Raises the right error, given a message and the path to what is wrong.
    """
    known = {"name", "version", "zone", "sessions", "closed", "early_close", "covers"}
    for name in data:
        if name not in known:
            refuse(f"a calendar has no {name!r}; it has {', '.join(sorted(known))}", name)
    closed = _list(data.get("closed", []), refuse, "closed")
    early = data.get("early_close", {})
    if not isinstance(early, dict) or len(early) > _MOST_DATES:
        refuse("expected an object from dates to times", "early_close")
    covers = None
    if "covers" in data:
        ends = _list(data["covers"], refuse, "covers")
        if len(ends) != 2:
            refuse("expected the first and the last day", "covers")
        first, last = (_date(end, refuse, "covers", place) for place, end in enumerate(ends))
        if first > last:
            refuse(f"the first day {first} is after the last day {last}", "covers")
        covers = (first, last)
    sessions = _list(data.get("sessions"), refuse, "sessions")
    if not 1 <= len(sessions) <= _MOST_SESSIONS:
        refuse(f"expected 1 to {_MOST_SESSIONS} sessions", "sessions")
    return Calendar(
        name=_text(data.get("name", "custom"), refuse, "name"),
        version=_text(data.get("version", "1"), refuse, "version"),
        zone=_zone(data.get("zone"), refuse),
        sessions=tuple(
            _session(session, refuse, "sessions", place) for place, session in enumerate(sessions)
        ),
        closed=frozenset(_date(day, refuse, "closed", place) for place, day in enumerate(closed)),
        early_close={
            _date(day, refuse, "early_close", day): _minute(time, refuse, "early_close", day)
            for day, time in early.items()
        },
        covers=covers,
    )


def _session(value: Any, refuse: Any, *path: object) -> Session:
    if not isinstance(value, dict) or value.keys() != {"days", "open", "close"}:
        refuse("expected a session with days, open and close", *path)
    days = _list(value["days"], refuse, *path, "days")
    for place, day in enumerate(days):
        if day not in _DAYS:
            refuse(f"expected one of {', '.join(_DAYS)}, not {day!r}", *path, "days", place)
    return Session(
        days=frozenset(_DAYS.index(day) for day in days),
        opens=_minute(value["open"], refuse, *path, "open") % (24 * 60),
        closes=_minute(value["close"], refuse, *path, "close"),
    )


def _minute(value: Any, refuse: Any, *path: object) -> int:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        refuse(f"expected a time such as 09:30, not {value!r}", *path)
    hours, minutes = value.split(":")
    return int(hours) * 60 + int(minutes)


def _date(value: Any, refuse: Any, *path: object) -> date:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        refuse(f"expected a date such as 2026-12-25, not {value!r}", *path)
        raise


def _zone(value: Any, refuse: Any) -> ZoneInfo:
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        refuse(f"expected an IANA time zone such as America/New_York, not {value!r}", "zone")
        raise


def _list(value: Any, refuse: Any, *path: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_DATES:
        refuse("expected a list", *path)
    found: list[Any] = value
    return found


def _text(value: Any, refuse: Any, *path: object) -> str:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        refuse(f"expected a name of letters, digits, dots and dashes, not {value!r}", *path)
    return str(value)


def _damaged(message: str, *path: object) -> None:
    raise AssertionError(f"a shipped calendar is damaged at {path}: {message}")


def _folder() -> Any:
    return resources.files(__package__) / "calendars"


def _days_of(year: int) -> Iterator[date]:
    day = date(year, 1, 1)
    while day.year == year:
        yield day
        day += timedelta(days=1)


def _utc(instant_ns: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=instant_ns // 1000)


def _nanoseconds(instant: datetime) -> int:
    return int(instant.timestamp()) * _NS
