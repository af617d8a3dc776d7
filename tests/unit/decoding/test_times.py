"""Instants: every unit, origin and zone, to the nanosecond."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickmesh.decoding.conversion import times
from tickmesh.decoding.source_spec import LocalTime, TimeUnit

if TYPE_CHECKING:
    from tickmesh.decoding.conversion.cells import Converted

NEW_YORK = "America/New_York"


def nanoseconds(converted: Converted) -> list[int | None]:
    found: list[int | None] = converted.values.cast(pa.int64()).to_pylist()
    return found


def codes(converted: Converted) -> list[tuple[int, str]]:
    return sorted((row, item.code) for item in converted.failures for row in item.rows.to_pylist())


@given(st.lists(st.integers(-(2**70), 2**70), max_size=6), st.sampled_from(TimeUnit), st.booleans())
def test_counts_since_the_epoch_are_exact_or_fail(
    counts: list[int], unit: TimeUnit, typed: bool
) -> None:
    column: Any = pa.array([str(count) for count in counts], pa.string())
    if typed:
        counts = [count for count in counts if abs(count) < 2**63]
        column = pa.array(counts, pa.int64())
    found = nanoseconds(times.since_epoch(column, unit))
    products = [count * unit.nanoseconds for count in counts]
    assert found == [product if -(2**63) <= product < 2**63 else None for product in products]


def test_fractions_of_a_second_are_exact_to_the_nanosecond() -> None:
    column = pa.array(["1582329601.096", "1582329601.123456789", "-0.5", "1.0000000001", "1e3"])
    converted = times.since_epoch(column, TimeUnit.SECOND)
    assert nanoseconds(converted) == [
        1_582_329_601_096_000_000,
        1_582_329_601_123_456_789,
        -500_000_000,
        None,
        1_000_000_000_000,
    ]
    assert codes(converted) == [(3, "REPR_PRECISION")]


@given(st.dates(date(1990, 1, 1), date(2037, 12, 31)), st.integers(0, 86_399_999))
def test_milliseconds_since_local_midnight_follow_the_clock_of_the_zone(
    day: date, count: int
) -> None:
    converted = times.since_midnight(
        pa.array([count]), TimeUnit.MILLISECOND, day=pa.array([day]), clock=times.Clock(NEW_YORK)
    )
    wall = datetime(day.year, day.month, day.day) + timedelta(milliseconds=count)  # noqa: DTZ001
    first, second = (wall.replace(tzinfo=ZoneInfo(NEW_YORK), fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        assert codes(converted) in ([(0, "AMBIGUOUS_TIME")], [(0, "NONEXISTENT_TIME")])
    else:
        elapsed = first.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        assert nanoseconds(converted) == [elapsed // timedelta(microseconds=1) * 1_000]


def test_daylight_saving_begins_and_ends_as_in_new_york() -> None:
    hours = [1, 2, 3, 9]
    column = pa.array([hour * 3_600_000 for hour in hours])
    spring = times.since_midnight(
        column,
        TimeUnit.MILLISECOND,
        day=pa.array([date(2024, 3, 10)] * 4),
        clock=times.Clock(NEW_YORK),
    )
    assert codes(spring) == [(1, "NONEXISTENT_TIME")]
    autumn = times.since_midnight(
        column,
        TimeUnit.MILLISECOND,
        day=pa.array([date(2024, 11, 3)] * 4),
        clock=times.Clock(NEW_YORK),
    )
    assert codes(autumn) == [(0, "AMBIGUOUS_TIME")]
    nine = [nanoseconds(each)[3] for each in (spring, autumn)]
    texts = [datetime.fromtimestamp((count or 0) / 10**9, UTC).isoformat() for count in nine]
    assert texts == ["2024-03-10T13:00:00+00:00", "2024-11-03T14:00:00+00:00"]


def test_a_day_has_no_time_before_midnight_or_after_it() -> None:
    column = pa.array([-1, 0, 86_399_999, 86_400_000])
    converted = times.since_midnight(
        column, TimeUnit.MILLISECOND, day=pa.array([date(2024, 1, 2)] * 4), clock=times.Clock("UTC")
    )
    assert codes(converted) == [(0, "NOT_A_TIME"), (3, "NOT_A_TIME")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-01-31T09:30:00Z", 1_706_693_400_000_000_000),
        ("2024-01-31 09:30:00.000000001+05:30", 1_706_673_600_000_000_001),
        ("2024-01-31t09:30:00z", 1_706_693_400_000_000_000),
        ("2024-01-31T09:30:00", "NOT_A_TIME"),
        ("2024-02-30T09:30:00Z", "NOT_A_TIME"),
        ("2024-01-31T24:00:00Z", "NOT_A_TIME"),
        ("2024-01-31", "NOT_A_TIME"),
        ("2024-01-31T09:30Z", "NOT_A_TIME"),
        ("2016-12-31T23:59:60Z", "REPR_OVERFLOW"),
        ("3024-01-31T09:30:00Z", "REPR_OVERFLOW"),
        ("2024-01-31T09:30:00.0000000001Z", "REPR_PRECISION"),
        ("2024-01-31T09:30:00.1234567890Z", 1_706_693_400_123_456_789),
    ],
)
def test_text_times_are_read_by_the_standard(text: str, expected: int | str) -> None:
    beside = "2024-01-31T09:30:00Z"
    converted = times.from_text(pa.array([text, beside]), clock=None)
    assert nanoseconds(converted)[1] == 1_706_693_400_000_000_000
    if isinstance(expected, str):
        assert codes(converted) == [(0, expected)]
    else:
        assert nanoseconds(converted)[0] == expected


def test_local_text_times_take_the_zone_and_may_state_an_offset() -> None:
    column = pa.array(["2024-01-31 09:30:00", "2024-07-31 09:30:00.5", "2024-07-31T09:30:00Z"])
    converted = times.from_text(column, clock=times.Clock(NEW_YORK))
    texts = [
        datetime.fromtimestamp((count or 0) / 10**9, UTC).isoformat()
        for count in nanoseconds(converted)
    ]
    assert texts == [
        "2024-01-31T14:30:00+00:00",
        "2024-07-31T13:30:00.500000+00:00",
        "2024-07-31T09:30:00+00:00",
    ]


def test_a_field_of_a_coarser_unit_refuses_finer_times() -> None:
    instants = times.since_epoch(pa.array([1_000, 1_500]), TimeUnit.MICROSECOND).values
    converted = times.to_unit(instants, pa.timestamp("ms", "UTC"), raw=pa.array([1_000, 1_500]))
    assert converted.values.cast(pa.int64()).to_pylist() == [1, None]
    assert codes(converted) == [(1, "REPR_PRECISION")]


def test_a_time_of_day_is_that_in_utc_and_what_no_clock_shows_fails() -> None:
    column = pa.array(
        [
            *("09:30:00.123456789Z", "23:30:00-05:00", None, "00:30:00+01:00"),
            *("25:00:00Z", "09:30:00", "23:59:60Z", "10:00:00.1234567891Z"),
        ]
    )
    converted = times.times_of_day_from_text(column)
    hour = 3_600_000_000_000
    assert converted.values.type == pa.time64("ns")
    assert converted.values.cast(pa.int64()).to_pylist() == [
        9 * hour + hour // 2 + 123_456_789,
        4 * hour + hour // 2,
        None,
        23 * hour + hour // 2,
        *[None] * 4,
    ]
    assert codes(converted) == [
        (4, "NOT_A_TIME"),
        (5, "NOT_A_TIME"),
        (6, "REPR_OVERFLOW"),
        (7, "REPR_PRECISION"),
    ]
    assert [raw for item in converted.failures for raw in item.raw.to_pylist()] == [
        *column.to_pylist()[4:6],
        *column.to_pylist()[6:],
    ]


@pytest.mark.parametrize("through_text", [False, True])
def test_a_time_the_clock_shows_twice_or_skips_is_what_the_spec_says_and_counted(
    *, through_text: bool
) -> None:
    local = ["2024-11-03 01:30:00", "2024-03-10 02:30:00", "2024-06-01 12:00:00"]
    if through_text:
        local.append("2024-02-31 00:00:00")  # no such day: every value is read one by one
    wanted = {
        LocalTime.EARLIEST: ["2024-11-03T05:30:00", "2024-03-10T06:59:59.999999999"],
        LocalTime.LATEST: ["2024-11-03T06:30:00", "2024-03-10T07:00:00"],
    }
    for choice, instants in wanted.items():
        clock = times.Clock(NEW_YORK, ambiguous=choice, nonexistent=choice)
        converted = times.from_text(pa.array(local), clock=clock)
        expected = pa.array([*instants, "2024-06-01T16:00:00"]).cast(pa.timestamp("ns"))
        assert nanoseconds(converted)[:3] == expected.cast(pa.int64()).to_pylist()
        assert converted.coercions["LOCAL_TIME_RESOLVED"] == 2
    refused = times.from_text(pa.array(local[:3]), clock=times.Clock(NEW_YORK))
    assert sorted(codes(refused)) == [(0, "AMBIGUOUS_TIME"), (1, "NONEXISTENT_TIME")]
