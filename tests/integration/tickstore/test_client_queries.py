"""Queries from Python against real processes: what is asked for, and what plainly follows from it.

The answers themselves are compared with other engines where queries are made; here it is shown that
every argument arrives.
"""

from __future__ import annotations

import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tests.support.governed_ticks import decoded, trades, trades_schema
from tests.support.ticks import integers
from tickmesh.errors import (
    FailedPreconditionError,
    InvalidArgumentError,
    NotFoundError,
    OutOfRangeError,
)
from tickmesh.ticks import Selection, TradingSession, col

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.registry import RegistryClient
    from tickmesh.ticks import Filter, TickClient

pytestmark = pytest.mark.integration

ROWS = 300
SECOND = 1_000_000_000
QUOTES: dict[str, Any] = {
    "type": "object",
    "properties": {
        "ts": {"type": "string", "format": "date-time", "x-tick-role": "event_time"},
        "symbol": {"type": "string", "x-tick-role": "symbol"},
        "bid": {"type": "number"},
        "size": {"type": "integer"},
    },
    "required": ["ts", "symbol", "bid", "size"],
}


@pytest.fixture
def stored(ticks: TickClient, subject: str) -> str:
    """Three hundred trades of three symbols in turn, one a second."""
    ticks.put(subject, trades(ROWS, step_ns=SECOND))
    return subject


@pytest.fixture
def quotes(ticks: TickClient, registry: RegistryClient) -> str:
    """A quote of IBM each ten seconds, five seconds after the round one; `bid` is its number."""
    name = f"ticks.quotes_{uuid.uuid4().hex[:8]}"
    registry.register(name, json.dumps(QUOTES))
    numbers = range(30)
    ticks.put(
        name,
        pa.table(
            {
                "ts": pa.array(
                    [(10 * number + 5) * SECOND for number in numbers], pa.timestamp("ns", "UTC")
                ),
                "symbol": ["IBM"] * 30,
                "bid": [float(number) for number in numbers],
                "size": pa.array(numbers, pa.int64()),
            }
        ),
    )
    return name


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (col("price") > 290, lambda row: row["price"] > 290),
        ("price > 290", lambda row: row["price"] > 290),
        (
            (col("symbol") == "IBM") & col("size").between(10, 20),
            lambda row: row["symbol"] == "IBM" and 10 <= row["size"] <= 20,
        ),
        (col("symbol").isin(["AAPL", "MSFT"]), lambda row: row["symbol"] != "IBM"),
        (col("note").is_null(), lambda row: row["note"] is None),
        # A null is neither equal nor unequal to anything.
        (col("note") != "n2", lambda row: row["note"] not in {None, "n2"}),
        (~(col("note") == "n2"), lambda row: row["note"] not in {None, "n2"}),
        ("ts >= timestamp '1970-01-01T00:04:50Z'", lambda row: row["size"] >= 290),
        (
            "symbol = 'IBM' and price < 10 or size = 299",
            lambda row: (row["symbol"] == "IBM" and row["price"] < 10) or row["size"] == 299,
        ),
    ],
    # A function's text tells its address, which differs in each process that collects the tests.
    ids=lambda value: None if callable(value) else str(value),
)
def test_only_rows_that_are_wanted_come(
    ticks: TickClient, stored: str, where: Filter | str, holds: Callable[[Any], bool]
) -> None:
    everything = decoded(trades(ROWS, step_ns=SECOND))
    wanted = [holds(row) for row in everything.to_pylist()]
    assert 0 < sum(wanted) < ROWS
    assert decoded(ticks.read(stored, where=where)).equals(everything.filter(pa.array(wanted)))
    assert ticks.stream(stored, where=where, columns="ts").read_all().num_rows == sum(wanted)
    assert ticks.to_polars(stored, where=where).height == sum(wanted)


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (col("prize") > 1, "prize"),
        (col("symbol") > 5, "symbol"),
        ("size = 'many'", "size"),
    ],
)
def test_a_condition_that_does_not_fit_names_its_column(
    ticks: TickClient, stored: str, where: Filter | str, words: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        ticks.read(stored, where=where)


def test_t7_snapshots_and_revisions_are_read_again_and_again(
    ticks: TickClient, subject: str
) -> None:
    name = f"month-end of {subject}"
    first = ticks.put(subject, trades(10)).dataset_revision
    ticks.create_snapshot(name, datasets=[subject])
    ticks.put(subject, trades(10, start_ns=SECOND))
    roles: dict[str, Any] = {"price": "price", "size": "size"}
    for then in ({"as_of": first}, {"snapshot": name}):
        options: dict[str, Any] = dict(then)
        assert ticks.read(subject, **options).num_rows == 10
        assert ticks.read(subject, **options, order="time", where="size > 4").num_rows == 5
        assert sorted(integers(ticks.latest(subject, **options), "size")) == [7, 8, 9]
        assert integers(ticks.bars(subject, every="1d", **options, **roles), "trades") == [4, 3, 3]
        old = Selection(subject, **options)
        assert ticks.asof_join(old, subject).num_rows == 10
        counted = ticks.sql("select count(*) as n from old", tables={"old": old})
        assert counted.to_pylist() == [{"n": 10}]
    assert ticks.read(subject).num_rows == 20


def test_an_earlier_state_that_is_not_there_says_what_to_do(ticks: TickClient, stored: str) -> None:
    with pytest.raises(NotFoundError, match="month-end") as unknown:
        ticks.read(stored, snapshot="month-end")
    assert unknown.value.next_command == "tickmesh ticks snapshot list"
    with pytest.raises(OutOfRangeError, match="not reached yet") as future:
        ticks.bars(stored, every="1m", as_of=10**6, price="price", size="size")
    assert future.value.next_command == "tickmesh ticks list"
    with pytest.raises(NotFoundError, match="nobody"):
        ticks.latest("ticks.nobody")
    with pytest.raises(NotFoundError) as version:
        ticks.read(stored, version=99)
    assert version.value.next_command == f"tickmesh schema list {stored}"


def test_t9_rows_are_read_under_the_version_asked_for(
    ticks: TickClient, registry: RegistryClient, subject: str
) -> None:
    ticks.put(subject, trades(10))
    venue = {"type": "string", "default": "XNAS"}
    registry.register(subject, trades_schema(venue=venue))
    ticks.put(subject, trades(10).append_column("venue", pa.array(["ARCX"] * 10)), version=2)
    assert ticks.read(subject, version=1).column_names == trades(1).column_names
    newest = ticks.read(subject, version=2)
    assert decoded(newest).column("venue").to_pylist() == ["XNAS"] * 10 + ["ARCX"] * 10
    assert ticks.read(subject, where=col("venue") == "XNAS").num_rows == 10
    assert ticks.latest(subject, version=1).column_names == trades(1).column_names
    with pytest.raises(InvalidArgumentError, match="venue"):
        ticks.read(subject, version=1, where=col("venue") == "XNAS")


def test_the_latest_rows_of_each_symbol(ticks: TickClient, stored: str) -> None:
    assert sorted(integers(ticks.latest(stored), "size")) == [297, 298, 299]
    then = ticks.latest(stored, at="1970-01-01T00:01:00", tz="UTC", columns=["symbol", "size"])
    assert sorted(integers(then, "size")) == [58, 59, 60]
    assert then.column_names == ["symbol", "size"]
    few = ticks.latest(stored, symbols="IBM", where=col("size") < 100, rows_per_symbol=2)
    assert sorted(integers(few, "size")) == [94, 97]


def test_trades_meet_the_quotes_in_force_then(ticks: TickClient, stored: str, quotes: str) -> None:
    joined = ticks.asof_join(
        Selection(stored, symbols="IBM", columns=["ts", "symbol", "size"]),
        quotes,
        start=0,
        end=60 * SECOND,
    )
    assert joined.column_names == ["ts", "symbol", "size", "bid", "size_right"]
    seconds = integers(joined, "size")
    assert seconds == list(range(1, 60, 3))
    expected = [float((second - 5) // 10) if second >= 5 else None for second in seconds]
    assert joined.column("bid").to_pylist() == expected

    near = ticks.asof_join(
        stored, quotes, symbols=["IBM"], end=60 * SECOND, tolerance="2s", direction="nearest",
        suffix="_quote", right_event_time=True,
    )  # fmt: skip
    distance: Any = pc.subtract(near.column("ts_quote"), near.column("ts"))
    apart = distance.drop_null().cast(pa.int64()).to_pylist()
    assert apart
    assert all(abs(each) <= 2 * SECOND for each in apart)
    strict = ticks.asof_join(quotes, quotes, exact="excluded")
    assert strict.column("bid_right").to_pylist() == [None, *map(float, range(29))]


def test_an_as_of_join_answers_as_polars_does(ticks: TickClient, stored: str, quotes: str) -> None:
    left, right = (
        pl.DataFrame(pl.from_arrow(decoded(ticks.read(name)))) for name in (stored, quotes)
    )
    expected = left.join_asof(right, on="ts", by="symbol", tolerance=7 * SECOND, coalesce=True)
    joined = ticks.asof_join(stored, quotes, tolerance=dt.timedelta(seconds=7))
    assert joined.column("bid").to_pylist() == expected["bid"].to_list()
    assert pc.is_valid(joined.column("bid")).to_pylist().count(True) > 0


def test_bars_of_each_width(ticks: TickClient, stored: str) -> None:
    minutes = ticks.bars(stored, every="1m", symbols="IBM", price="price", size="size")
    assert minutes.column_names[:9] == [
        *("ts", "symbol", "open", "high", "low", "close", "volume", "vwap", "trades")
    ]
    assert minutes.column("ts").cast(pa.int64()).to_pylist() == [
        60 * SECOND * minute for minute in range(5)
    ]
    assert minutes.column("open").to_pylist() == [2.0, 62.0, 122.0, 182.0, 242.0]
    assert integers(minutes, "trades") == [20] * 5
    tens = ticks.bars(stored, ticks=10, symbols="IBM", price="price", size="size")
    assert integers(tens, "trades") == [10] * 10
    by_volume = ticks.bars(stored, volume=5_000, price="price", size="size")
    assert integers(by_volume, "volume")[0] >= 5_000
    assert ticks.bars(stored, dollars=1e6, price="price", size="size").num_rows > 0


def test_bars_are_filled_and_kept_within_sessions(
    ticks: TickClient, stored: str, quotes: str
) -> None:
    sparse: dict[str, Any] = {"every": "5s", "price": "bid", "end": 30 * SECOND}
    assert ticks.bars(quotes, **sparse).num_rows == 3
    filled = ticks.bars(quotes, **sparse, fill="previous")
    assert filled.column("close").to_pylist() == [0.0, 0.0, 1.0, 1.0, 2.0]
    empty = ticks.bars(quotes, **sparse, fill="null")
    assert empty.column("close").to_pylist() == [0.0, None, 1.0, None, 2.0]
    # 1970-01-01 was a Thursday; the session opens a minute after midnight.
    session = TradingSession("00:01", "00:02", tz="UTC")
    within = ticks.bars(stored, every="1m", session=session, price="price", size="size")
    assert set(within.column("ts").cast(pa.int64()).to_pylist()) == {60 * SECOND}


def test_sql_sees_datasets_selections_and_parameters(
    ticks: TickClient, stored: str, quotes: str
) -> None:
    answer = ticks.sql(
        f'select symbol, count(*) as n from "{stored}" where size >= $1 group by all order by all',
        parameters=[150],
    )
    assert answer.to_pylist() == [{"symbol": name, "n": 50} for name in ("AAPL", "IBM", "MSFT")]
    chosen = ticks.sql(
        "select max(t.size) as most, count(distinct q.bid) as quotes from t, q",
        tables={"t": Selection(stored, where="size < 100"), "q": quotes},
    )
    assert chosen.to_pylist() == [{"most": 99, "quotes": 30}]


@pytest.mark.parametrize(
    "query",
    ["select * from nothing", "selekt 1", "delete from x", "select * from read_csv('/etc/passwd')"],
)
def test_sql_that_cannot_be_done_is_refused(ticks: TickClient, query: str) -> None:
    with pytest.raises((InvalidArgumentError, NotFoundError, FailedPreconditionError)) as refused:
        ticks.sql(query)
    assert "root:" not in str(refused.value)


def test_t7_parts_read_side_by_side_come_in_order(ticks: TickClient, subject: str) -> None:
    rows = 300_000
    many = trades(rows)
    ticks.put(subject, many)
    expected = list(range(rows))
    assert integers(ticks.read(subject, columns="size"), "size") == expected
    reader = ticks.stream(subject, columns="size")
    assert integers(reader.read_all(), "size") == expected


def test_a_stream_that_is_given_up_ends_its_reading(ticks: TickClient, subject: str) -> None:
    ticks.put(subject, trades(300_000))
    reader = ticks.stream(subject)
    assert reader.read_next_batch().num_rows > 0
    del reader
    assert ticks.read(subject, limit=1).num_rows == 1
