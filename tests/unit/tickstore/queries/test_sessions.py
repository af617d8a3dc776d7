"""Sessions: hours on the clock of a zone, through daylight saving time, nights and holidays."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tickstore.queries.rows import bars_of, ticks, times
from tickmesh_tickstore.domain import errors as domain
from tickmesh_tickstore.queries.bars import BarKind, EmptyBars
from tickmesh_tickstore.queries.sessions import SessionTable, TradingSession

HOUR = 3_600_000_000_000
MINUTE = HOUR // 60
NEW_YORK = "America/New_York"


def instant(text: str, zone: str = NEW_YORK) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def session(opens: float = 9.5, closes: float = 16.0, zone: str = NEW_YORK, **more: Any) -> Any:
    return TradingSession.of(
        time_zone=zone, open_ns=round(opens * HOUR), close_ns=round(closes * HOUR), **more
    )


def labels(moments: list[int], **request: Any) -> list[int]:
    rows = [(moment, "A", 1.0, 1) for moment in sorted(moments)]
    return times(bars_of(ticks(rows), **{"kind": BarKind.TIME, "width": HOUR, **request}))


def test_bars_begin_at_the_opening_and_hold_no_row_outside() -> None:
    moments = [
        instant("2024-07-03 09:29:59"),
        instant("2024-07-03 09:30:00"),
        instant("2024-07-03 10:29:59"),
        instant("2024-07-03 10:30:00"),
        instant("2024-07-03 15:59:59"),
        instant("2024-07-03 16:00:00"),
        instant("2024-07-06 12:00:00"),  # a Saturday
    ]
    assert labels(moments, session=session()) == [
        instant("2024-07-03 09:30:00"),
        instant("2024-07-03 10:30:00"),
        instant("2024-07-03 15:30:00"),
    ]


@pytest.mark.parametrize("day", ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"])
def test_the_opening_is_what_the_clock_shows_before_and_after_it_is_changed(day: str) -> None:
    opening = instant(f"{day} 09:30:00")
    assert labels([opening - 1, opening + 5], session=session()) == [opening]


def test_holidays_and_weekdays() -> None:
    fourth, fifth = instant("2024-07-04 12:00:00"), instant("2024-07-05 12:00:00")
    sunday = instant("2024-07-07 12:00:00")
    asked = session(holidays=["2024-07-04"])
    assert labels([fourth, fifth, sunday], session=asked) == [instant("2024-07-05 11:30:00")]
    assert labels([fourth, fifth, sunday], session=session(weekdays=[7])) == [
        instant("2024-07-07 11:30:00")
    ]


def test_a_session_over_night_belongs_to_the_day_it_opens_on() -> None:
    # 17:00 to 16:00 the day after, Sunday to Thursday, as futures trade in Chicago.
    asked = session(17.0, 16.0, zone="America/Chicago", weekdays=[7, 1, 2, 3, 4])
    sunday_open = instant("2024-07-07 17:00:00", "America/Chicago")
    moments = [
        instant("2024-07-07 16:59:59", "America/Chicago"),
        sunday_open,
        instant("2024-07-08 02:10:00", "America/Chicago"),
        instant("2024-07-08 16:30:00", "America/Chicago"),  # the hour between
        instant("2024-07-12 15:59:59", "America/Chicago"),  # Thursday's, on Friday
        instant("2024-07-12 17:30:00", "America/Chicago"),
    ]
    assert labels(moments, session=asked) == [
        sunday_open,
        instant("2024-07-08 02:00:00", "America/Chicago"),
        instant("2024-07-12 15:00:00", "America/Chicago"),
    ]


def test_a_session_of_a_whole_day_has_23_or_25_hours_when_the_clock_is_changed() -> None:
    asked = session(0.0, 24.0, weekdays=[7])
    spring, autumn = instant("2024-03-10 00:00:00"), instant("2024-11-03 00:00:00")
    hours = [spring + hour * HOUR for hour in range(-1, 26)]
    assert labels(hours, session=asked) == [spring + hour * HOUR for hour in range(23)]
    hours = [autumn + hour * HOUR for hour in range(-1, 27)]
    assert labels(hours, session=asked) == [autumn + hour * HOUR for hour in range(25)]


def test_a_session_the_clock_passes_over_is_none() -> None:
    asked = session(2.5, 3.0, weekdays=[7])
    hours = [instant("2024-03-10 00:00:00") + half * HOUR // 2 for half in range(12)]
    assert labels(hours, session=asked) == []


def test_no_bar_of_any_kind_spans_two_sessions() -> None:
    monday, tuesday = instant("2024-07-08 15:59:00"), instant("2024-07-09 09:30:00")
    rows = [(monday + n * 10**9, "A", 1.0, 1) for n in range(5)]
    rows += [(tuesday + n * 10**9, "A", 1.0, 1) for n in range(5)]
    for kind in (BarKind.TICKS, BarKind.VOLUME, BarKind.DOLLARS):
        made = bars_of(ticks(rows), kind=kind, width=3, session=session())
        assert made["trades"].to_pylist() == [3, 2, 3, 2]
    made = bars_of(ticks(rows), kind=BarKind.TIME, width=100 * HOUR, session=session())
    assert times(made) == [instant("2024-07-08 09:30:00"), tuesday]


def test_empty_bars_are_filled_within_sessions_alone_and_keep_the_close_over_night() -> None:
    rows = [
        (instant("2024-07-05 14:40:00"), "A", 3.0, 1),  # a Friday
        (instant("2024-07-08 10:40:00"), "A", 5.0, 1),
    ]
    made = bars_of(
        ticks(rows),
        kind=BarKind.TIME,
        width=HOUR,
        session=session(),
        empty=EmptyBars.PREVIOUS_CLOSE,
    )
    assert times(made) == [
        instant("2024-07-05 14:30:00"),
        instant("2024-07-05 15:30:00"),
        instant("2024-07-08 09:30:00"),
        instant("2024-07-08 10:30:00"),
    ]
    assert made["close"].to_pylist() == [3.0, 3.0, 3.0, 5.0]


def inside(asked: TradingSession, moment_ns: int) -> int | None:
    """The opening of the session an instant lies in, found day by day."""
    day = datetime.fromtimestamp(moment_ns // 10**9, asked.zone).date()
    for back in range(-1, 3):
        for opens, closes in asked.between(day - timedelta(days=back), day - timedelta(days=back)):
            if opens <= moment_ns < closes:
                return opens
    return None


@settings(deadline=None)
@given(
    st.lists(st.integers(1_700_000_000, 1_740_000_000), min_size=1, max_size=30),
    st.integers(0, 47),
    st.integers(0, 48),
    st.sampled_from([NEW_YORK, "Europe/London", "Asia/Tokyo", "Australia/Lord_Howe"]),
    st.sets(st.integers(1, 7), min_size=1),
    st.integers(1, 3),
)
def test_places_agree_with_a_search_day_by_day_however_far_apart_times_are(
    seconds: list[int], opens: int, closes: int, zone: str, days: set[int], pieces: int
) -> None:
    asked = session(opens / 2, closes / 2, zone=zone, weekdays=days)
    moments = sorted(second * 10**9 for second in seconds)
    table = SessionTable(asked, 1, 7 * MINUTE)
    found: list[int | None] = []
    for part in np.array_split(np.array(moments, np.int64), pieces):
        places, within = table.places(part)
        starts = table.labels(places[within]) if within.any() else iter(())
        labelled = iter(starts)
        found += [int(next(labelled)) if each else None for each in within]
    wanted = []
    for moment in moments:
        opening = inside(asked, moment)
        width = 7 * MINUTE
        wanted.append(None if opening is None else opening + (moment - opening) // width * width)
    assert found == wanted


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"time_zone": "America/Nowhere"}, "IANA"),
        ({"time_zone": "../etc/passwd"}, "IANA"),
        ({"open_ns": 24 * HOUR}, "after midnight"),
        ({"open_ns": -1}, "after midnight"),
        ({"close_ns": 25 * HOUR}, "after midnight"),
        ({"weekdays": [0]}, "Monday"),
        ({"holidays": ["4 July"]}, "ISO dates"),
    ],
)
def test_sessions_that_are_none_are_refused(change: dict[str, Any], told: str) -> None:
    asked = {"time_zone": NEW_YORK, "open_ns": 9 * HOUR, "close_ns": 16 * HOUR, **change}
    with pytest.raises(domain.InvalidArgumentError, match=told):
        TradingSession.of(**asked)
