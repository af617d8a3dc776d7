"""x-tick-session: rows stand within the trading sessions of a calendar."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cleaner.rules.tables import table
from tickmesh_cleaner.rules.calendar import shipped_calendar, shipped_names

NEW_YORK = ZoneInfo("America/New_York")


def ns(text: str, zone: ZoneInfo = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() * 1e6) * 1000


def outside(calendar: object, instants: list[int | None]) -> list[int]:
    rules = table({"x-tick-session": {"calendar": calendar}})
    return list(rules.judge([{"ts": instant} for instant in instants]).held)


@pytest.mark.parametrize(
    ("instant", "within"),
    [
        ("2024-03-08T09:29:59.999999", False),
        ("2024-03-08T09:30:00", True),
        ("2024-03-08T16:00:00", True),
        ("2024-03-08T16:00:00.000001", False),
        # Summer time begins on the Sunday between: the same hours, another hour in UTC.
        ("2024-03-11T09:30:00", True),
        ("2024-03-11T09:29:00", False),
        ("2024-11-01T15:59:00", True),
        ("2024-11-04T15:59:00", True),
        # Half days.
        ("2013-07-03T12:59:59", True),
        ("2013-07-03T13:00:01", False),
        ("2024-11-29T13:30:00", False),
        ("2018-12-24T13:30:00", False),
        # Holidays, by rule and by decree.
        ("2024-07-04T11:00:00", False),
        ("2012-10-29T11:00:00", False),
        ("2025-01-09T11:00:00", False),
        ("2021-12-24T11:00:00", False),
        ("2021-12-31T11:00:00", True),
        ("2021-06-18T11:00:00", True),
        ("2022-06-20T11:00:00", False),
        # Weekends.
        ("2024-03-09T11:00:00", False),
        # Beyond what the calendar speaks about.
        ("2031-03-10T11:00:00", False),
    ],
)
def test_the_calendar_of_new_york_knows_summer_time_half_days_and_holidays(
    instant: str, *, within: bool
) -> None:
    assert outside("XNYS", [ns(instant)]) == ([] if within else [0])


def test_the_message_says_in_the_markets_own_time_what_the_hours_are() -> None:
    rules = table({"x-tick-session": "XNYS"})
    ruling = rules.judge(
        [{"ts": ns(day)} for day in ("2013-07-03T13:30", "2013-07-04T10:00", "2009-01-05T10:00")]
    )
    assert [
        reasons[0].message.split("America/New_York is ") for reasons in ruling.held.values()
    ] == [
        ["2013-07-03 13:30:00 ", "in no session of XNYS 2025.1: it trades 09:30-13:00 that day"],
        ["2013-07-04 10:00:00 ", "in no session of XNYS 2025.1: it is closed that day"],
        ["2009-01-05 10:00:00 ", "beyond the calendar XNYS 2025.1: 2010-01-01 to 2030-12-31"],
    ]


def test_a_session_may_reach_into_the_next_day() -> None:
    assert outside(
        "FX",
        [
            ns("2024-03-10T16:59:59"),
            ns("2024-03-10T17:00:00"),
            ns("2024-03-13T03:00:00"),
            ns("2024-03-15T17:00:00"),
            ns("2024-03-15T17:00:01"),
            ns("2024-03-16T12:00:00"),
        ],
    ) == [0, 4, 5]


def test_round_the_clock_nothing_is_outside_and_a_null_is_not_judged() -> None:
    assert outside("24x7", [0, ns("2024-03-10T02:30"), 2**62, -(2**62), None]) == []
    assert outside("XNYS", [None]) == []


CUSTOM: dict[str, Any] = {
    "zone": "Europe/Berlin",
    "sessions": [
        {"days": ["mon", "wed"], "open": "09:00", "close": "12:00"},
        {"days": ["mon", "tue"], "open": "11:00", "close": "17:30"},
        {"days": ["sat"], "open": "23:00", "close": "02:00"},
    ],
    "closed": ["2024-03-11"],
    "early_close": {"2024-03-12": "14:00"},
}


def within_one_by_one(instant_ns: int) -> bool:
    zone = ZoneInfo("Europe/Berlin")
    local = datetime.fromtimestamp(instant_ns // 10**9, UTC).astimezone(zone)

    def at(day: date, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(day, time(hour, minute), zone)

    for day in (local.date(), local.date() - timedelta(days=1)):
        if str(day) == "2024-03-11":
            continue
        spans = []
        if day.weekday() in {0, 2}:
            spans.append((at(day, 9), at(day, 12)))
        if day.weekday() in {0, 1}:
            spans.append(
                (at(day, 11), at(day, 14) if str(day) == "2024-03-12" else at(day, 17, 30))
            )
        if day.weekday() == 5:
            spans.append((at(day, 23), at(day + timedelta(days=1), 2)))
        if any(start.timestamp() <= instant_ns // 10**9 <= end.timestamp() for start, end in spans):
            return True
    return False


@given(
    st.lists(
        st.integers(ns("2024-03-01T00:00") // 10**9, ns("2024-04-15T00:00") // 10**9), max_size=30
    )
)
def test_a_calendar_given_in_the_schema_agrees_with_looking_row_by_row(
    seconds: list[int],
) -> None:
    instants: list[int | None] = [second * 10**9 for second in seconds]
    expected = [row for row, second in enumerate(seconds) if not within_one_by_one(second * 10**9)]
    assert outside(CUSTOM, instants) == expected


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_calendar_opens_on_some_day_of_every_year_it_covers(name: str) -> None:
    calendar = shipped_calendar(name)
    assert calendar is not None
    for year in range(2010, 2031):
        opens, closes = calendar.sessions_between(
            ns(f"{year}-02-01T00:00"), ns(f"{year}-03-01T00:00")
        )
        assert len(opens) == len(closes) > 0
        assert (opens < closes).all()
