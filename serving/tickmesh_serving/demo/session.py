"""A trading session made from a seed: plausible trades of twenty shares, and known blemishes.

Prices walk in cents, sizes are lots with odd ones and blocks among them, arrivals cluster at the
open and towards the close as they do on exchanges. One row in a hundred is spoiled, in one way.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

SYMBOLS = (
    "AAPL", "AMZN", "BAC", "C", "CVX", "F", "GE", "GOOGL", "HD", "IBM",
    "INTC", "JNJ", "JPM", "KO", "META", "MSFT", "NVDA", "PFE", "T", "XOM",
)  # fmt: skip
VENUES = ("ARCX", "BATS", "EDGX", "IEXG", "XNAS", "XNYS")
NEW_VENUE = "MEMX"
CONDITIONS = ("", "", "", "", "", "", "F", "I", "FI", "O")
HEADER = "ts,symbol,price,size,side,venue,trade_id,condition"

_SESSION_SECONDS = int(6.5 * 3600)
_CHUNK_ROWS = 50_000
_SPOILED_SHARE = 0.01
_BLOCK_SHARE = 0.0005


@dataclass(frozen=True, slots=True)
class Blemish:
    """One way to spoil a row: its name, and the line made of the sound one's cells."""

    name: str
    spoil: Callable[[list[str]], str]


def _replacing(position: int, text: str) -> Callable[[list[str]], str]:
    return lambda cells: ",".join([*cells[:position], text, *cells[position + 1 :]])


BLEMISHES = (
    Blemish("price is zero", _replacing(2, "0.00")),
    Blemish("price is negative", _replacing(2, "-1.25")),
    Blemish("price is a word", _replacing(2, "n/a")),
    Blemish("price is not a number", _replacing(2, "nan")),
    Blemish("size is zero", _replacing(3, "0")),
    Blemish("size is a fraction", _replacing(3, "100.5")),
    Blemish("size does not fit 64 bits", _replacing(3, "9223372036854775808")),
    Blemish("symbol is unknown", _replacing(1, "ZZZZ")),
    Blemish("symbol is missing", _replacing(1, "")),
    Blemish("time is no time", _replacing(0, "yesterday")),
    Blemish("side is unknown", _replacing(4, "hold")),
    Blemish("venue is not listed yet", _replacing(5, NEW_VENUE)),
    Blemish("trade id is malformed", _replacing(6, "T12")),
    Blemish("a column is missing", lambda cells: ",".join(cells[:-2])),
    Blemish("a column too many", lambda cells: ",".join([*cells, "surplus"])),
    Blemish("two rules broken at once", lambda cells: _replacing(2, "0")(
        _replacing(3, "0")(cells).split(","))),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionFile:
    """What was written: rows in all, and spoiled ones by blemish."""

    path: Path
    rows: int
    spoiled: dict[str, int]


def write_session(
    path: Path, *, rows: int, seed: int, day: dt.date, first_trade_id: int = 1
) -> SessionFile:
    """Write one session as CSV with a header; the same arguments write the same bytes.

    Args:
        path: the file to write.
        rows: trades, spoiled ones included.
        seed: decides everything.
        day: the trading day, 09:30 to 16:00 New York time.
        first_trade_id: the id of the first trade.
    """
    random = np.random.default_rng(seed)
    spoiled = {blemish.name: 0 for blemish in BLEMISHES}
    prices = random.integers(1_500, 60_000, len(SYMBOLS)).astype(np.int64)
    times = _arrivals(random, rows=rows, day=day)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(HEADER + "\n")
        for start in range(0, rows, _CHUNK_ROWS):
            chunk = times[start : start + _CHUNK_ROWS]
            lines = list(_lines(random, chunk, prices, first_trade_id + start))
            _spoil(random, lines, spoiled)
            file.write("\n".join(lines) + "\n")
    return SessionFile(path, rows, spoiled)


def _arrivals(random: np.random.Generator, *, rows: int, day: dt.date) -> NDArray[np.datetime64]:
    """Ascending instants: a U over the session, microseconds apart at the busiest."""
    opening = dt.datetime.combine(day, dt.time(9, 30), tzinfo=ZoneInfo("America/New_York"))
    minutes = np.arange(_SESSION_SECONDS // 60)
    middle = len(minutes) / 2
    weight = 1.0 + 3.0 * ((minutes - middle) / middle) ** 2
    per_minute = random.multinomial(rows, weight / weight.sum())
    within = random.integers(0, 60_000_000_000, rows)
    offsets = np.sort(np.repeat(minutes * 60_000_000_000, per_minute) + within)
    first = np.int64(int(opening.timestamp()) * 1_000_000_000)
    return (offsets + first).astype("datetime64[ns]")


def _lines(
    random: np.random.Generator,
    times: NDArray[np.datetime64],
    prices: NDArray[np.int64],
    first_trade_id: int,
) -> Iterator[str]:
    count = len(times)
    symbols = random.integers(0, len(SYMBOLS), count)
    cents = np.empty(count, np.int64)
    for symbol in range(len(SYMBOLS)):
        of_symbol = symbols == symbol
        walk = prices[symbol] + np.cumsum(random.integers(-1, 2, int(of_symbol.sum())))
        cents[of_symbol] = np.maximum(walk, 100)
        if walk.size:
            prices[symbol] = cents[of_symbol][-1]
    lots = random.geometric(0.4, count) * 100
    sizes = np.where(random.random(count) < 0.2, random.integers(1, 100, count), lots)
    blocks = random.integers(1_001, 5_000, count) * 100
    sizes = np.where(random.random(count) < _BLOCK_SHARE, blocks, sizes)
    sides = random.integers(0, 2, count)
    venues = random.integers(0, len(VENUES), count)
    conditions = random.integers(0, len(CONDITIONS), count)
    texts = np.datetime_as_string(times, unit="ns")
    for row in range(count):
        price = cents[row]
        yield (
            f"{texts[row]}Z,{SYMBOLS[symbols[row]]},{price // 100}.{price % 100:02d},{sizes[row]},"
            f"{'sell' if sides[row] else 'buy'},{VENUES[venues[row]]},"
            f"T{first_trade_id + row:010d},{CONDITIONS[conditions[row]]}"
        )


def _spoil(random: np.random.Generator, lines: list[str], spoiled: dict[str, int]) -> None:
    rows = np.flatnonzero(random.random(len(lines)) < _SPOILED_SHARE)
    for row, choice in zip(rows, random.integers(0, len(BLEMISHES), len(rows)), strict=True):
        blemish = BLEMISHES[choice]
        lines[row] = blemish.spoil(lines[row].split(","))
        spoiled[blemish.name] += 1
