"""Instants are taken exactly or refused: never guessed, never rounded."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from tickmesh.errors import InvalidArgumentError
from tickmesh.ticks import instant_ns

NANOSECONDS = 1_723_109_400_123_456_789  # 2024-08-08T09:30:00.123456789Z


@pytest.mark.parametrize(
    "value",
    [
        NANOSECONDS,
        np.int64(NANOSECONDS),
        "2024-08-08T09:30:00.123456789Z",
        "2024-08-08 05:30:00.123456789-04:00",
        pd.Timestamp("2024-08-08T09:30:00.123456789Z"),
        pd.Timestamp("2024-08-08T05:30:00.123456789", tz="America/New_York"),
    ],
    ids=str,
)
def test_nanoseconds_are_kept(value: object) -> None:
    assert instant_ns(value) == NANOSECONDS  # type: ignore[arg-type]  # one list of many types


@pytest.mark.parametrize(
    "value",
    [
        "2024-08-08T05:30:00.123456789",
        pd.Timestamp("2024-08-08T05:30:00.123456789"),
        np.datetime64("2024-08-08T05:30:00.123456789"),
    ],
    ids=str,
)
def test_what_names_no_zone_is_read_in_tz(value: object) -> None:
    assert instant_ns(value, tz="America/New_York") == NANOSECONDS  # type: ignore[arg-type]
    with pytest.raises(InvalidArgumentError, match="tz="):
        instant_ns(value)  # type: ignore[arg-type]


def test_a_date_is_its_midnight_in_tz() -> None:
    midnight = dt.datetime(2024, 8, 8, tzinfo=ZoneInfo("America/New_York"))
    expected = round(midnight.timestamp()) * 1_000_000_000
    assert instant_ns(dt.date(2024, 8, 8), tz="America/New_York") == expected
    assert instant_ns("2024-08-08", tz="America/New_York") == expected


def test_an_aware_value_keeps_its_own_zone() -> None:
    aware = dt.datetime(2024, 8, 8, 9, 30, 0, 123456, tzinfo=dt.UTC)
    assert instant_ns(aware, tz="America/New_York") == NANOSECONDS - 789


def test_before_the_epoch_counts_down() -> None:
    assert instant_ns("1969-12-31T23:59:59.5Z") == -500_000_000


@pytest.mark.parametrize(
    ("value", "says"),
    [("2024-03-10T02:30", "does not exist"), ("2024-11-03T01:30", "happened twice")],
)
def test_a_local_time_the_clock_skipped_or_repeated_is_refused(value: str, says: str) -> None:
    with pytest.raises(InvalidArgumentError, match=says):
        instant_ns(value, tz="America/New_York")


@pytest.mark.parametrize(
    "value",
    ["yesterday", "2024-13-01", "2024-01-01T25:00", "", True, 1.5, None, np.datetime64("NaT")],
    ids=str,
)
def test_what_is_no_instant_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgumentError):
        instant_ns(value, tz="UTC")  # type: ignore[arg-type]  # that is the point


@pytest.mark.parametrize("value", [2**63, dt.datetime(2500, 1, 1, tzinfo=dt.UTC)], ids=str)
def test_what_does_not_fit_64_bits_is_refused(value: int | dt.datetime) -> None:
    with pytest.raises(InvalidArgumentError, match="64 bits"):
        instant_ns(value)


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(InvalidArgumentError, match="IANA"):
        instant_ns("2024-01-01", tz="Mars/Olympus")
