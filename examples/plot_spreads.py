"""Plot bid, ask and mid, and what trades paid beside the mid that was in force when they happened.

Start a mesh first: `tickmesh up`. Needs `pip install 'tickmesh[examples]'`. Arguments: a folder of
recorded files (see recorded_ticks.py), and `--out` for the picture. Generated ticks if absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from recorded_ticks import Recording, arguments, clean, generated_quotes, generated_trades

from tickmesh import TickClient
from tickmesh.ticks import Selection

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

QUOTES = Recording(
    "tardis_binance_futures_btcusdt_quotes_20200222.csv",
    "ticks.crypto.quotes",
    "ticks.crypto.quotes.tardis",
)
TRADES = Recording(
    "tardis_binance_futures_btcusdt_trades_20200222.csv",
    "ticks.crypto.trades",
    "ticks.crypto.trades.tardis",
)


def main(recordings: Path | None, picture: Path) -> None:
    """Clean or generate quotes and trades, join them as of each trade, draw the spreads."""
    if recordings is None:
        quotes, trades = generated_quotes(), generated_trades()
    else:
        quotes, trades = clean(recordings, QUOTES), clean(recordings, TRADES)
    sides = ["bid_price", "ask_price"]
    with TickClient() as ticks:
        book = ticks.to_pandas(quotes, columns=["ts", *sides], order="time")
        met = ticks.asof_join(
            Selection(trades, columns=["ts", "symbol", "price"]),
            Selection(quotes, columns=sides),
            start=book["ts"].iloc[0],
            end=book["ts"].iloc[-1],
            tolerance="10s",
        ).to_pandas()
    book = book.set_index("ts")[sides].astype(float)
    met = met.set_index("ts")[["price", *sides]].astype(float).dropna()
    spread = 1e4 * (book["ask_price"] - book["bid_price"]) / book.mean(axis="columns")
    mid = met[sides].mean(axis="columns")
    paid = 1e4 * 2 * (met["price"] - mid).abs() / mid
    draw(book, met, spread, paid, picture=picture)
    print(f"quoted spread {spread.mean():.3f} bp of {len(book):,} quotes (mean)")
    print(f"effective spread {paid.mean():.3f} bp of {len(met):,} trades (mean): {picture}")


def draw(
    book: pd.DataFrame,
    met: pd.DataFrame,
    spread: pd.Series[float],
    paid: pd.Series[float],
    *,
    picture: Path,
) -> None:
    """Draw prices above spreads."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    for side, colour in (("bid_price", "tab:blue"), ("ask_price", "tab:orange")):
        above.step(book.index, book[side], where="post", color=colour, linewidth=0.7, label=side)
    middle = book.mean(axis="columns")
    above.step(book.index, middle, where="post", color="grey", linewidth=0.5, label="mid")
    above.scatter(met.index, met["price"], s=3, color="black", label="trades")
    above.set(ylabel="price")
    above.legend(markerscale=3)
    below.step(book.index, spread, where="post", color="grey", linewidth=0.6, label="quoted")
    below.scatter(met.index, paid, s=3, color="black", label="effective")
    below.set(ylabel="spread, basis points")
    below.legend(markerscale=3)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    given = arguments(str(__doc__), picture="spreads.png")
    main(given.recordings, given.out)
