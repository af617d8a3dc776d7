"""What a quant asks of the day's trades: a line an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from tickmesh.ticks import Selection, TradingSession, col

if TYPE_CHECKING:
    from collections.abc import Callable

    from tickmesh.ticks import TickClient

    Say = Callable[[str], None]

_SESSION = TradingSession("09:30", "16:00", tz="America/New_York")


def ask(ticks: TickClient, dataset: str, *, say: Say) -> None:
    """Ask for bars, an as-of join, a filter and SQL; say what comes back."""
    bars = ticks.bars(dataset, every="1m", symbols="AAPL", session=_SESSION)
    busiest = bars.sort_by([("volume", "descending")]).slice(0, 1)
    # As text: nanoseconds do not fit Python's own datetime.
    minute = busiest.column("ts").cast(pa.string())[0].as_py()
    (bar,) = busiest.drop_columns("ts").to_pylist()
    say(
        f"  bars     {bars.num_rows} minutes of AAPL; the busiest, {minute[11:16]}: "
        f"open {bar['open']:.2f} high {bar['high']:.2f} low {bar['low']:.2f} "
        f"close {bar['close']:.2f} volume {bar['volume']:,.0f} vwap {bar['vwap']:.2f}"
    )
    joined = ticks.asof_join(
        Selection(dataset, symbols="AAPL", columns=["ts", "price"]),
        Selection(dataset, symbols="MSFT", columns=["price"]),
        by="none",
        tolerance="10s",
    )
    met = joined.num_rows - joined.column("price_right").null_count
    say(f"  as-of    {met:,} trades of AAPL met a trade of MSFT of the ten seconds before")
    blocks = ticks.read(dataset, where=(col("size") >= 10_000) & (col("side") == "buy"))
    say(f"  where    {blocks.num_rows:,} blocks of 10,000 shares or more were bought")
    venues = ticks.sql(
        "select venue, sum(price * size) as value from day "
        "group by venue order by value desc limit 3",
        tables={"day": dataset},
    )
    total = pc.sum(venues.column("value")).as_py()
    shares = ", ".join(
        f"{row['venue']} {float(row['value']) / float(total):.0%}" for row in venues.to_pylist()
    )
    say(f"  SQL      the three largest venues by value, among themselves: {shares}")
