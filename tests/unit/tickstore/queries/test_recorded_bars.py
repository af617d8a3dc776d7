"""Bars of the recorded files, as polars, pandas and DuckDB build them from the same rows."""

from __future__ import annotations

import warnings
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from tests.support.bar_oracle import bars_row_by_row
from tests.support.recorded_ticks import crypto_trades, equity_trades
from tests.unit.tickstore.queries.rows import bars_of, times
from tickmesh_tickstore.queries.bars import BarKind, EmptyBars
from tickmesh_tickstore.queries.sessions import TradingSession

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.real_data

MINUTE_NS = 60_000_000_000
SOURCES = {"equity": equity_trades, "crypto": crypto_trades}
NAMES = ["ts", "symbol", "open", "high", "low", "close", "trades", "volume", "notional"]


@pytest.fixture(params=SOURCES)
def trades(request: pytest.FixtureRequest) -> pa.Table:
    source: Callable[[], pa.Table] = SOURCES[request.param]
    return source()


def as_frame(bars: pa.Table) -> pl.DataFrame:
    """Bars in polars, doubles for what is summed, in one order."""
    frame = pl.from_arrow(bars)
    assert isinstance(frame, pl.DataFrame)
    return canonical(frame)


def canonical(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col("ts").dt.convert_time_zone("UTC"),
        pl.col("symbol").cast(pl.String),
        *(pl.col(name).cast(pl.Float64) for name in NAMES[2:6]),
        pl.col("trades").cast(pl.Int64),
        pl.col("volume").cast(pl.Float64),
        pl.col("notional").cast(pl.Float64),
    ).sort("symbol", "ts")


def assert_same(left: pl.DataFrame, right: pl.DataFrame) -> None:
    exact = NAMES[:7]
    assert left.select(exact).equals(right.select(exact))
    for name in NAMES[7:]:
        assert left[name].to_list() == pytest.approx(right[name].to_list(), rel=1e-12)


def polars_bars(trades: pa.Table, every: str) -> pl.DataFrame:
    frame = pl.from_arrow(trades)
    assert isinstance(frame, pl.DataFrame)
    price, size = pl.col("price"), pl.col("size")
    return canonical(
        frame.sort("ts", maintain_order=True)
        .group_by_dynamic("ts", every=every, group_by="symbol", closed="left", label="left")
        .agg(
            open=price.first(),
            high=price.max(),
            low=price.min(),
            close=price.last(),
            trades=pl.len(),
            volume=size.sum(),
            notional=(price * size).sum(),
        )
    )


@pytest.mark.parametrize(("every", "width"), [("1m", MINUTE_NS), ("7s", 7_000_000_000)])
def test_time_bars_are_those_of_polars(trades: pa.Table, every: str, width: int) -> None:
    made = bars_of(trades, kind=BarKind.TIME, width=width)
    assert_same(as_frame(made), polars_bars(trades, every))


def test_filled_time_bars_are_those_of_pandas(trades: pa.Table) -> None:
    made = bars_of(trades, kind=BarKind.TIME, width=MINUTE_NS, empty=EmptyBars.NULL).to_pandas()
    frame = trades.to_pandas()
    frame["symbol"] = frame["symbol"].astype(str)
    for symbol, rows in frame.groupby("symbol"):
        resampled = rows.set_index("ts")["price"].resample("1min")
        wanted = resampled.ohlc().astype("float64")
        ours = made[made["symbol"] == symbol].set_index("ts")
        pd.testing.assert_frame_equal(
            ours[["open", "high", "low", "close"]].astype("float64"), wanted, check_freq=False
        )
        assert ours["trades"].tolist() == resampled.count().tolist()


def test_time_bars_are_those_of_duckdb(trades: pa.Table) -> None:
    made = bars_of(trades, kind=BarKind.TIME, width=MINUTE_NS)
    numbered = trades.append_column("place", pa.array(range(trades.num_rows)))
    with duckdb.connect() as connection, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        connection.register("trades", numbered)
        wanted: Any = connection.execute(
            """SELECT epoch_ns(ts) // 60000000000 * 60000000000 AS label, symbol,
                      first(price ORDER BY place) AS open, max(price) AS high, min(price) AS low,
                      last(price ORDER BY place) AS close, count(*) AS trades,
                      sum(size)::DOUBLE AS volume, sum(price * size)::DOUBLE AS notional
               FROM trades GROUP BY ALL ORDER BY symbol, label"""
        ).fetchall()
    ours = as_frame(made)
    exact = ours.select(pl.col("ts").dt.epoch("ns"), *NAMES[1:7]).rows()
    assert exact == [tuple(row[:7]) for row in wanted]
    assert ours["notional"].to_list() == pytest.approx([row[8] for row in wanted], rel=1e-12)


@pytest.mark.parametrize(
    ("kind", "widths"),
    [
        (BarKind.TICKS, {"equity": 100, "crypto": 100}),
        (BarKind.VOLUME, {"equity": 50_000, "crypto": 12.5}),
        (BarKind.DOLLARS, {"equity": 5e9, "crypto": 250_000}),
    ],
)
@pytest.mark.parametrize("source", SOURCES)
def test_other_bars_are_those_of_the_row_by_row_reference(
    source: str, kind: BarKind, widths: dict[str, float]
) -> None:
    trades = SOURCES[source]()
    rows = zip(
        trades["ts"].cast(pa.int64()).to_pylist(),
        trades["symbol"].to_pylist(),
        trades["price"].to_pylist(),
        trades["size"].to_pylist(),
        strict=True,
    )
    width = widths[source]
    made = bars_of(trades, kind=kind, width=width)
    # A double is within rounding of the decimal number that was recorded.
    threshold = Fraction(width) * (1 - Fraction(1, 10**9))
    wanted = bars_row_by_row(rows, kind=kind.value, width=threshold)
    shape = zip(
        times(made),
        made["symbol"].to_pylist(),
        *(made[name].to_pylist() for name in ("open", "high", "low", "close", "trades")),
        strict=True,
    )
    assert sorted(shape) == sorted(
        (bar.label, str(bar.symbol), bar.open, bar.high, bar.low, bar.close, bar.trades)
        for bar in wanted
    )
    assert made.num_rows > 50


def test_the_regular_session_of_a_recorded_day() -> None:
    trades = equity_trades()
    session = TradingSession.of(
        time_zone="America/New_York", open_ns=570 * MINUTE_NS, close_ns=960 * MINUTE_NS
    )
    made = bars_of(trades, kind=BarKind.TIME, width=30 * MINUTE_NS, session=session)
    # 121 of the 52,008 trades lie outside 09:30-16:00; half hours are aligned either way.
    counts: list[Any] = made["trades"].to_pylist()
    assert sum(counts) == 52_008 - 121
    assert len(set(times(made))) == 13
