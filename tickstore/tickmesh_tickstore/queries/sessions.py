"""Trading sessions: hours on the clock of a time zone, and where instants lie among them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from tickmesh_tickstore.domain.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy.typing as npt

__all__ = ["SessionTable", "TradingSession"]

_DAY = timedelta(days=1)
_DAY_NS = 86_400_000_000_000
_SECOND_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EARLIEST = int((datetime(1678, 1, 1, tzinfo=UTC) - _EPOCH).total_seconds())
_LATEST = int((datetime(2261, 12, 31, tzinfo=UTC) - _EPOCH).total_seconds())
_MOST_HOLIDAYS = 10_000


@dataclass(frozen=True, slots=True)
class TradingSession:
    """The hours that count, every day of trading.

    Both ends are what the clock on the wall shows, whatever daylight saving time does that day; an
    hour that the clock passes twice is meant the first time.

    Attributes:
        zone: The clock.
        open_ns: The first instant, ns after midnight on the clock.
        close_ns: The instant after the last, ns after midnight; of the next day where it is not
            after `open_ns`.
        weekdays: Days on which sessions open, 1 for Monday to 7 for Sunday.
        holidays: Days on which none does.
    """

    zone: ZoneInfo
    open_ns: int
    close_ns: int
    weekdays: frozenset[int]
    holidays: frozenset[date]

    @classmethod
    def of(
        cls,
        *,
        time_zone: str,
        open_ns: int,
        close_ns: int,
        weekdays: Iterable[int] = (),
        holidays: Iterable[str] = (),
    ) -> TradingSession:
        """Check a session as it is asked for; no weekdays mean Monday to Friday.

        Raises:
            InvalidArgumentError: It names no time zone, or times, weekdays or days that are none.
        """
        try:
            zone = ZoneInfo(time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidArgumentError(
                f"no time zone {time_zone[:64]!r}: give an IANA name such as America/New_York",
                metadata={"timeZone": time_zone[:64]},
            ) from None
        if not (0 <= open_ns < _DAY_NS and 0 <= close_ns <= _DAY_NS):
            raise InvalidArgumentError(
                "a session opens at 0 to less than 24 hours after midnight and closes at 0 to 24, "
                f"in ns; got {open_ns} and {close_ns}",
                metadata={"openNs": str(open_ns), "closeNs": str(close_ns)},
            )
        days = frozenset(weekdays) or frozenset(range(1, 6))
        if not days <= frozenset(range(1, 8)):
            raise InvalidArgumentError("weekdays are 1 for Monday to 7 for Sunday, got others")
        listed = list(holidays)
        if len(listed) > _MOST_HOLIDAYS:
            raise InvalidArgumentError(
                f"at most {_MOST_HOLIDAYS} holidays, got {len(listed)}",
                metadata={"holidays": str(len(listed))},
            )
        return cls(zone, open_ns, close_ns, days, frozenset(map(_day, listed)))

    def between(self, first: date, last: date) -> Iterator[tuple[int, int]]:
        """Opening and closing, ns since the epoch, of the sessions that open on days of a span."""
        closes_next_day = self.close_ns <= self.open_ns
        day = first
        while day <= last:
            if day.isoweekday() in self.weekdays and day not in self.holidays:
                opens = self._instant(day, self.open_ns)
                closes = self._instant(day + _DAY if closes_next_day else day, self.close_ns)
                # The clock may pass over a whole session when it is put forward.
                if opens < closes:
                    yield opens, closes
            day += _DAY

    def _instant(self, day: date, since_midnight_ns: int) -> int:
        days, rest = divmod(since_midnight_ns, _DAY_NS)
        seconds, nanoseconds = divmod(rest, _SECOND_NS)
        wall = datetime(day.year, day.month, day.day, tzinfo=self.zone) + timedelta(
            days=days, seconds=seconds
        )
        since = wall.astimezone(UTC) - _EPOCH
        return (since.days * 86_400 + since.seconds) * _SECOND_NS + nanoseconds


@dataclass(slots=True)
class SessionTable:
    """The sessions around times that only go forward, in units of an event time column.

    Attributes:
        session: The hours.
        unit_ns: ns in a unit.
        width: Units in a bar; `None` where a whole session is one place.
    """

    session: TradingSession
    unit_ns: int
    width: int | None
    _opens: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _closes: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _firsts: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    _next_place: int = 0
    _through: date | None = None

    def __post_init__(self) -> None:
        """Raise InvalidArgumentError where the unit is too coarse for the hours."""
        if self.session.open_ns % self.unit_ns or self.session.close_ns % self.unit_ns:
            raise InvalidArgumentError(
                f"the event time counts units of {self.unit_ns} ns: sessions have to open and "
                "close at whole units",
                metadata={"unitNs": str(self.unit_ns)},
            )

    def places(
        self, times: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Where ascending times lie: a number that rises by 1 from place to place, and whether.

        Places are counted within sessions alone: the last of one and the first of the next are
        neighbours.
        """
        if len(times) == 0:
            return times, np.empty(0, np.bool_)
        self._cover(int(times[0]), int(times[-1]))
        if len(self._opens) == 0:
            return times, np.zeros(len(times), np.bool_)
        session = np.searchsorted(self._opens, times, side="right") - 1
        inside = session >= 0
        session = np.maximum(session, 0)
        inside &= times < self._closes[session]
        place = self._firsts[session]
        if self.width is not None:
            place = place + (times - self._opens[session]) // self.width
        return place, inside

    def labels(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The first instants of places."""
        session = np.searchsorted(self._firsts, places, side="right") - 1
        labels = self._opens[session]
        return (
            labels
            if self.width is None
            else labels + (places - self._firsts[session]) * (self.width)
        )

    def _cover(self, first: int, last: int) -> None:
        last_day = self._day_of(last) + _DAY
        if self._through is None:
            # A session that opened the day before may still be open.
            begin = self._day_of(first) - 2 * _DAY
        elif self._through >= last_day:
            return
        else:
            begin = self._through + _DAY
        self._through = last_day
        spans = list(self.session.between(begin, last_day))
        if not spans:
            return
        table = np.array(spans, np.int64) // self.unit_ns
        opens, closes = table[:, 0], table[:, 1]
        if self.width is None:
            counts = np.ones(len(table), np.int64)
        else:
            counts = -((opens - closes) // self.width)
        ends = self._next_place + np.cumsum(counts)
        self._next_place = int(ends[-1])
        self._opens = np.concatenate([self._opens, opens])
        self._closes = np.concatenate([self._closes, closes])
        self._firsts = np.concatenate([self._firsts, ends - counts])

    def _day_of(self, time: int) -> date:
        seconds = time * self.unit_ns // _SECOND_NS
        if not _EARLIEST <= seconds <= _LATEST:
            raise InvalidArgumentError(
                "sessions are known for the years 1678 to 2261: leave other times out of the range"
            )
        return (_EPOCH + timedelta(seconds=seconds)).astimezone(self.session.zone).date()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidArgumentError(
            f"holidays are ISO dates such as 2024-12-25, got {text[:40]!r}",
            metadata={"holiday": text[:40]},
        ) from None
