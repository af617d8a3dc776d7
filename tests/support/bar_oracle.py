"""Bars built one row at a time, as slowly and plainly as they are defined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Row = tuple["int | None", "str | None", Any, Any]
"""Event time, symbol, price, size."""


@dataclass
class Bar:
    """One bar."""

    label: int
    symbol: str | None
    open: Any
    high: Any
    low: Any
    close: Any
    trades: int = 0
    volume: Any = 0
    notional: Any = 0
    amount: Fraction = field(default_factory=Fraction)

    def add(self, price: Any, size: Any) -> None:
        """Take one more row in."""
        self.high, self.low, self.close = max(self.high, price), min(self.low, price), price
        self.trades += 1
        self.volume += size
        self.notional += price * size


def bars_row_by_row(rows: Iterable[Row], *, kind: str, width: Fraction) -> list[Bar]:
    """All bars, in no order that matters."""
    done: list[Bar] = []
    open_bars: dict[str | None, Bar] = {}
    for time, symbol, price, raw_size in rows:
        if time is None or not _is_number(price):
            continue
        size = raw_size if _is_number(raw_size) else 0
        bar = open_bars.get(symbol)
        label = time // int(width) * int(width) if kind == "time" else time
        if bar is not None and kind == "time" and bar.label != label:
            done.append(open_bars.pop(symbol))
            bar = None
        if bar is None:
            bar = open_bars[symbol] = Bar(label, symbol, price, price, price, price)
        bar.add(price, size)
        if kind == "time":
            continue
        bar.amount += {
            "ticks": Fraction(1),
            "volume": abs(Fraction(size)),
            "dollars": abs(Fraction(price) * Fraction(size)),
        }[kind]
        if bar.amount >= width:
            done.append(open_bars.pop(symbol))
    return done + list(open_bars.values())


def _is_number(value: Any) -> bool:
    return value is not None and (not isinstance(value, float) or math.isfinite(value))
