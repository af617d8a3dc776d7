"""What queries ask for on the wire, and what of them cannot be meant."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tickmesh._ticks.bars import bars_command
from tickmesh._ticks.commands import read_command
from tickmesh._ticks.durations import duration_ns, duration_text
from tickmesh._ticks.queries import as_of_join_command, latest_command, sql_command
from tickmesh.api.tickstore.v1 import queries_pb2 as wire
from tickmesh.errors import InvalidArgumentError
from tickmesh.ticks import Selection, TradingSession, col

JOIN: dict[str, Any] = {
    "start": None,
    "end": None,
    "right_start": None,
    "symbols": None,
    "tz": None,
    "tolerance": None,
    "direction": "backward",
    "exact": "allowed",
    "by": "auto",
    "suffix": "_right",
    "right_event_time": False,
}
BARS: dict[str, Any] = {
    "every": None,
    "ticks": None,
    "volume": None,
    "dollars": None,
    "fill": "omit",
    "session": None,
    "price": None,
    "size": None,
    "read": {},
}
LATEST: dict[str, Any] = {
    "at": None,
    "symbols": None,
    "columns": None,
    "where": None,
    "tz": None,
    "rows_per_symbol": 1,
    "as_of": None,
    "snapshot": None,
    "version": None,
}


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [
        (5, 5),
        ("250ms", 250_000_000),
        ("1h30m", 5_400_000_000_000),
        ("1 s", 1_000_000_000),
        ("10us", 10_000),
        ("2d", 172_800_000_000_000),
        (dt.timedelta(seconds=1, microseconds=1), 1_000_001_000),
        (pd.Timedelta(1_001, unit="ns"), 1_001),
        (np.timedelta64(3, "ms"), 3_000_000),
        (np.int64(9), 9),
    ],
)
def test_a_span_of_time_is_exact(value: Any, nanoseconds: int) -> None:
    assert duration_ns(value, name="every") == nanoseconds
    assert duration_ns(duration_text(nanoseconds), name="every") == nanoseconds


@pytest.mark.parametrize("value", ["1", "1 minute", "-1s", "", "1.5s", True, 1.5, -1, "999999999d"])
def test_what_is_no_span_of_time_is_refused(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="every"):
        duration_ns(value, name="every")


def test_latest_takes_rows_up_to_and_at_the_instant() -> None:
    assert latest_command("d", **LATEST | {"at": 10}).read.end_ns == 11
    assert not latest_command("d", **LATEST).read.HasField("end_ns")


@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        ({}, None, 200),
        ({"tolerance": 30}, 70, 200),
        ({"direction": "forward"}, 100, None),
        ({"direction": "forward", "tolerance": 30}, 100, 230),
        ({"direction": "nearest", "tolerance": 30}, 70, 230),
        ({"direction": "nearest"}, None, None),
        ({"right_start": 90, "tolerance": 30}, 90, 200),
    ],
)
def test_the_right_side_is_read_as_far_as_a_match_may_lie(
    options: dict[str, Any], first: int | None, last: int | None
) -> None:
    command = as_of_join_command("t", "q", **JOIN | {"start": 100, "end": 200} | options)
    assert (command.left.start_ns, command.left.end_ns) == (100, 200)
    right = command.right
    assert (right.start_ns if right.HasField("start_ns") else None) == first
    assert (right.end_ns if right.HasField("end_ns") else None) == last


def test_a_selection_keeps_what_it_says_itself() -> None:
    left = Selection("t", start=150, symbols="IBM", where=col("size") > 1)
    right = Selection("q", end=500, columns=["bid", "ask"])
    command = as_of_join_command(
        left, right, **JOIN | {"start": 100, "end": 200, "symbols": ["AAPL"], "tolerance": 0}
    )
    assert (command.left.start_ns, command.left.end_ns) == (150, 200)
    assert (list(command.left.symbols), list(command.right.symbols)) == (["IBM"], ["AAPL"])
    assert command.left.filter == (col("size") > 1).message()
    assert (command.right.start_ns, command.right.end_ns) == (150, 500)
    assert list(command.right.columns) == ["bid", "ask"]
    assert command.HasField("tolerance_ns")


@pytest.mark.parametrize(
    "options",
    [
        {"direction": "sideways"},
        {"exact": True},
        {"by": "venue"},
        {"suffix": ""},
        {"tolerance": "soon"},
    ],
)
def test_a_join_that_cannot_be_meant_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        as_of_join_command("t", "q", **JOIN | options)
    with pytest.raises(InvalidArgumentError, match="Selection"):
        as_of_join_command("t", 5, **JOIN)  # type: ignore[arg-type]  # that is the point


def test_bars_of_each_width() -> None:
    assert bars_command("d", **BARS | {"every": "1m"}).time_ns == 60_000_000_000
    assert bars_command("d", **BARS | {"ticks": 100}).ticks == 100
    assert bars_command("d", **BARS | {"volume": 1e6}).volume == 1e6
    assert bars_command("d", **BARS | {"dollars": 5}).dollars == 5.0


def test_a_session_is_carried_whole() -> None:
    session = TradingSession(
        "09:30", dt.time(16), tz="America/New_York", holidays=[dt.date(2026, 12, 25), "2027-01-01"]
    )
    command = bars_command("d", **BARS | {"every": "1m", "session": session, "fill": "previous"})
    assert command.empty_bars == wire.EMPTY_BARS_PREVIOUS_CLOSE
    assert command.session == wire.TradingSession(
        time_zone="America/New_York",
        open_ns=34_200_000_000_000,
        close_ns=57_600_000_000_000,
        weekdays=[1, 2, 3, 4, 5],
        holidays=["2026-12-25", "2027-01-01"],
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "exactly one"),
        ({"every": "1m", "ticks": 5}, "every and ticks"),
        ({"every": 0}, "longer than nothing"),
        ({"ticks": 0}, "from 1"),
        ({"volume": -1.0}, "above 0"),
        ({"dollars": float("nan")}, "above 0"),
        ({"ticks": 5, "fill": "null"}, "never empty"),
        ({"every": "1m", "fill": "linear"}, "fill"),
        ({"every": "1m", "session": TradingSession("9:30", "16:00", tz="UTC")}, "time of day"),
        ({"every": "1m", "session": TradingSession("09:30", "25:00", tz="UTC")}, "time of day"),
        ({"every": "1m", "session": TradingSession("09:30", "16:00", tz="Mars")}, "no time zone"),
        (
            {"every": "1m", "session": TradingSession("09:30", "16:00", tz="UTC", weekdays=[0])},
            "Monday",
        ),
        (
            {"every": "1m", "session": TradingSession("09:30", "16:00", tz="UTC", holidays=["x"])},
            "dates",
        ),
    ],
)
def test_bars_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        bars_command("d", **BARS | options)


def test_a_statement_carries_its_tables_and_values() -> None:
    command = sql_command(
        "select * from t where size > $1",
        tables={"t": Selection("ticks.trades", symbols="IBM"), "q": "ticks.quotes"},
        parameters=[5, "x"],
    )
    assert [(table.name, table.read.dataset) for table in command.tables] == [
        ("t", "ticks.trades"),
        ("q", "ticks.quotes"),
    ]
    assert [value.WhichOneof("kind") for value in command.parameters] == ["integer", "text"]
    with pytest.raises(InvalidArgumentError, match=r"\$1 is None"):
        sql_command("select $1", tables=None, parameters=[None])  # type: ignore[list-item]  # so it is
    with pytest.raises(InvalidArgumentError, match="sequence"):
        sql_command("select $1", tables=None, parameters="x")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"as_of": 3, "snapshot": "month-end"}, "one of them"),
        ({"start": 5, "end": 4}, "half-open"),
        ({"where": 5}, "condition"),
        ({"where": "price >"}, "character 8"),
        ({"limit": True}, "whole number"),
        ({"columns": [5]}, "must be text"),
    ],
)
def test_reads_that_cannot_be_meant_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        read_command("d", **options)


def test_one_column_is_one_column() -> None:
    assert list(read_command("d", columns="price").columns) == ["price"]
    assert read_command("d", snapshot="month-end").snapshot == "month-end"
    assert read_command("d", where="a = 1").filter == (col("a") == 1).message()
