"""Bars as a client asks for them."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tickmesh._ticks.commands import counted, read_command
from tickmesh._ticks.durations import duration_ns
from tickmesh._ticks.time_arguments import time_zone
from tickmesh.api.tickstore.v1 import queries_pb2
from tickmesh.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Literal

    from tickmesh._ticks.commands import ReadOptions
    from tickmesh._ticks.durations import Duration

    FillName = Literal["omit", "null", "previous"]

_FILLS = {
    "omit": queries_pb2.EMPTY_BARS_OMITTED,
    "null": queries_pb2.EMPTY_BARS_NULL,
    "previous": queries_pb2.EMPTY_BARS_PREVIOUS_CLOSE,
}
_CLOCK = re.compile(r"(\d{2}):(\d{2})(?::(\d{2}))?")
_MONDAY_TO_FRIDAY = (1, 2, 3, 4, 5)


@dataclass(frozen=True, slots=True)
class TradingSession:
    """Hours of trading on the clock of a zone; bars with a session take only rows within one.

    Attributes:
        opens: The first moment of a session: `"09:30"` or a `datetime.time`.
        closes: The moment after its last; at or before `opens` it lies on the next day.
        tz: The zone of both: an IANA name.
        weekdays: Days on which sessions open, 1 for Monday to 7 for Sunday.
        holidays: Days without a session: dates or ISO text.
    """

    opens: str | dt.time
    closes: str | dt.time
    tz: str
    weekdays: Sequence[int] = _MONDAY_TO_FRIDAY
    holidays: Sequence[str | dt.date] = ()

    def message(self) -> queries_pb2.TradingSession:
        """The session as a query carries it.

        Raises:
            InvalidArgumentError: a time, weekday, date or the zone cannot be read.
        """
        time_zone(self.tz)
        wrong = [day for day in self.weekdays if day not in range(1, 8)]
        if wrong or not self.weekdays:
            raise InvalidArgumentError(
                f"weekdays must be numbers from 1 (Monday) to 7 (Sunday); they were "
                f"{list(self.weekdays)}."
            )
        return queries_pb2.TradingSession(
            time_zone=self.tz,
            open_ns=_clock_ns(self.opens, name="opens"),
            close_ns=_clock_ns(self.closes, name="closes"),
            weekdays=self.weekdays,
            holidays=[_day(each) for each in self.holidays],
        )


def bars_command(
    dataset: str,
    *,
    every: Duration | None,
    ticks: int | None,
    volume: float | None,
    dollars: float | None,
    fill: FillName,
    session: TradingSession | None,
    price: str | None,
    size: str | None,
    read: ReadOptions,
) -> queries_pb2.BarsCommand:
    """Bars of one width: in time, rows, volume or value traded."""
    widths = {"every": every, "ticks": ticks, "volume": volume, "dollars": dollars}
    given = [name for name, width in widths.items() if width is not None]
    if len(given) != 1:
        raise InvalidArgumentError(
            'bars take exactly one of every="1m", ticks=1000, volume=1e6 and dollars=1e7; '
            f"{' and '.join(given) or 'none'} was given."
        )
    if fill not in _FILLS:
        raise InvalidArgumentError(f'fill must be "omit", "null" or "previous"; it was {fill!r}.')
    if fill != "omit" and every is None:
        raise InvalidArgumentError(
            f"fill={fill!r} fills time bars; {given[0]} bars are never empty."
        )
    command = queries_pb2.BarsCommand(
        read=read_command(dataset, **read),
        price_column=price or "",
        size_column=size or "",
        empty_bars=_FILLS[fill],
        session=None if session is None else session.message(),
    )
    if every is not None:
        command.time_ns = duration_ns(every, name="every")
        if not command.time_ns:
            raise InvalidArgumentError(f"every must be longer than nothing; it was {every!r}.")
    if ticks is not None:
        command.ticks = counted(ticks, name="ticks")
    if volume is not None:
        command.volume = _amount(volume, name="volume")
    if dollars is not None:
        command.dollars = _amount(dollars, name="dollars")
    return command


def _amount(number: float, *, name: str) -> float:
    if isinstance(number, bool) or not 0 < number < float("inf"):
        raise InvalidArgumentError(f"{name} must be a number above 0; it was {number!r}.")
    return float(number)


def _clock_ns(value: str | dt.time, *, name: str) -> int:
    if isinstance(value, str):
        match = _CLOCK.fullmatch(value)
        try:
            if match is None:
                raise ValueError
            hour, minute, second = (int(part or 0) for part in match.groups())
            value = dt.time(hour, minute, second)
        except ValueError:
            raise InvalidArgumentError(
                f'{name}={value!r} is no time of day; write "09:30" or "09:30:00".'
            ) from None
    seconds = (value.hour * 60 + value.minute) * 60 + value.second
    return (seconds * 1_000_000 + value.microsecond) * 1_000


def _day(value: str | dt.date) -> str:
    try:
        return (dt.date.fromisoformat(value) if isinstance(value, str) else value).isoformat()
    except ValueError:
        raise InvalidArgumentError(
            f"holidays are dates such as 2026-12-25; one was {value!r}."
        ) from None
