"""Plot one-minute bars of a trading day: candles, volume and the volume-weighted price.

Start a mesh first: `tickmesh up`. Needs `pip install 'tickmesh[examples]'`. Arguments: a folder of
recorded files (see recorded_ticks.py), and `--out` for the picture. Generated ticks if absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from recorded_ticks import Recording, arguments, clean, generated_trades

from tickmesh import TickClient
from tickmesh.ticks import TradingSession

if TYPE_CHECKING:
    from pathlib import Path

ZONE = "America/New_York"
SESSION = TradingSession("09:30", "16:00", tz=ZONE)
AIG = Recording(
    "us_equity_aig_trades_20131009.csv.gz", "ticks.us_equity.trades", "ticks.us_equity.trades"
)


def main(recordings: Path | None, picture: Path) -> None:
    """Clean or generate trades, build bars in the store, draw them."""
    dataset = generated_trades() if recordings is None else clean(recordings, AIG)
    with TickClient() as ticks:
        bars = ticks.bars(dataset, every="1m", session=SESSION, fill="previous").to_pandas()
    (symbol,) = bars["symbol"].unique()
    prices = bars[["open", "high", "low", "close", "vwap", "volume"]].astype(float)
    prices.index = pd.DatetimeIndex(bars["ts"]).tz_convert(ZONE)
    draw(prices, title=f"{symbol}, one-minute bars of {prices.index[0]:%Y-%m-%d}", picture=picture)
    print(f"{len(bars)} bars of {int(bars['trades'].sum()):,} trades: {picture}")


def draw(bars: pd.DataFrame, *, title: str, picture: Path) -> None:
    """Draw candles above their volume."""
    figure = Figure(figsize=(12, 7), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 1))
    minute = 1 / (24 * 60)
    colours = ["tab:green" if rose else "tab:red" for rose in bars["close"] >= bars["open"]]
    above.vlines(bars.index, bars["low"], bars["high"], colors=colours, linewidth=0.8)
    above.bar(
        bars.index,
        bars["close"] - bars["open"],
        bottom=bars["open"],
        color=colours,
        width=0.8 * minute,
    )
    above.plot(bars.index, bars["vwap"], color="black", linewidth=0.6, label="vwap")
    above.set(title=title, ylabel="price")
    above.legend()
    below.bar(bars.index, bars["volume"], color=colours, width=0.8 * minute)
    below.set(ylabel="volume")
    below.xaxis_date(ZONE)
    figure.savefig(picture, dpi=100)


if __name__ == "__main__":
    given = arguments(str(__doc__), picture="bars.png")
    main(given.recordings, given.out)
