"""Bars on their way: numpy columns of equal length, merged and held by symbol."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from tickmesh_tickstore.queries.numbers import Numbers, added

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

__all__ = ["NEVER", "BarColumns", "OpenBars"]

NEVER = np.iinfo(np.int64).max
"""`closed_by` of a bar that no row closed."""


@dataclass(slots=True)
class BarColumns:
    """Bars, or parts of them: what two parts have together follows from these columns alone.

    Attributes:
        symbol: Number of the symbol.
        place: Which bar of the clock it is, or which session it lies in; never falls in time.
        label: Event time of its first row.
        closed_by: The row of the block that closed it; `NEVER` while none did.
        open: First price.
        high: Greatest price.
        low: Least price.
        close: Last price.
        trades: Rows.
        volume: Sum of sizes.
        notional: Sum of price times size.
        amount: What counts towards its end, in the closing rule's own unit.
    """

    symbol: Numbers
    place: Numbers
    label: Numbers
    closed_by: Numbers
    open: Numbers
    high: Numbers
    low: Numbers
    close: Numbers
    trades: Numbers
    volume: Numbers
    notional: Numbers
    amount: Numbers

    def __len__(self) -> int:
        return len(self.symbol)

    def take(self, places: npt.NDArray[Any]) -> BarColumns:
        """Some of the bars, by index or by mask."""
        return BarColumns(*(getattr(self, name)[places] for name in _NAMES))

    def continue_with(self, parts: npt.NDArray[np.intp], earlier: BarColumns) -> None:
        """Put the earlier part of some bars, at `parts`, before what they have."""
        self.label[parts] = earlier.label
        self.open = _put(self.open, parts, earlier.open)
        self.high = _put(self.high, parts, np.maximum(self.high[parts], earlier.high))
        self.low = _put(self.low, parts, np.minimum(self.low[parts], earlier.low))
        self.trades[parts] += earlier.trades
        self.volume = _put(self.volume, parts, added(self.volume[parts], earlier.volume))
        self.notional = _put(self.notional, parts, added(self.notional[parts], earlier.notional))
        self.amount = _put(self.amount, parts, added(self.amount[parts], earlier.amount))

    @staticmethod
    def joined(several: Sequence[BarColumns]) -> BarColumns:
        """One after the other."""
        if len(several) == 1:
            return several[0]
        return BarColumns(
            *(np.concatenate([getattr(bars, name) for bars in several]) for name in _NAMES)
        )


_NAMES = tuple(field.name for field in fields(BarColumns))


class OpenBars:
    """At most one bar of each symbol that further rows may still change."""

    def __init__(self) -> None:
        self._columns: BarColumns | None = None
        self._is_open = np.zeros(0, np.bool_)

    def amounts(self, symbols: npt.NDArray[np.int32], places: npt.NDArray[np.int64]) -> Numbers:
        """What counts already towards the end of bars of these symbols in these places."""
        amounts = np.zeros(len(symbols), np.int64)
        waiting = self._waiting(symbols, places)
        if self._columns is None or not waiting.any():
            return amounts
        return _put(amounts, np.flatnonzero(waiting), self._columns.amount[symbols[waiting]])

    def take_matching(
        self, symbols: npt.NDArray[np.int32], places: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.intp], BarColumns | None]:
        """Give up the bars of these symbols that lie in these places.

        Returns:
            For which of the symbols there is one, and those bars.
        """
        found = np.flatnonzero(self._waiting(symbols, places))
        if self._columns is None or len(found) == 0:
            return found, None
        self._is_open[symbols[found]] = False
        return found, self._columns.take(symbols[found])

    def take_before(self, place: int) -> BarColumns | None:
        """Give up the bars that lie before a place."""
        if self._columns is None:
            return None
        past = np.flatnonzero(self._is_open & (self._columns.place < place))
        if len(past) == 0:
            return None
        self._is_open[past] = False
        return self._columns.take(past)

    def hold(self, bars: BarColumns) -> None:
        """Keep bars, at most one of each symbol."""
        if len(bars) == 0:
            return
        self._grow(int(bars.symbol.max()) + 1, bars)
        assert self._columns is not None
        for name in _NAMES:
            column = _put(getattr(self._columns, name), bars.symbol, getattr(bars, name))
            setattr(self._columns, name, column)
        self._is_open[bars.symbol] = True

    def _waiting(
        self, symbols: npt.NDArray[np.int32], places: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.bool_]:
        if self._columns is None:
            return np.zeros(len(symbols), np.bool_)
        known = symbols < len(self._is_open)
        within = np.where(known, symbols, 0)
        matching: npt.NDArray[np.bool_] = (
            known & self._is_open[within] & (self._columns.place[within] == places)
        )
        return matching

    def _grow(self, count: int, like: BarColumns) -> None:
        had = len(self._is_open)
        if count <= had:
            return
        room = max(count, 2 * had, 64)
        empty = BarColumns(*(np.zeros(room - had, getattr(like, name).dtype) for name in _NAMES))
        held = self._columns
        self._columns = empty if held is None else BarColumns.joined([held, empty])
        self._is_open = np.concatenate([self._is_open, np.zeros(room - had, np.bool_)])


def _put(column: Numbers, places: npt.NDArray[Any], values: Numbers) -> Numbers:
    """Write values into a column, which becomes one of objects where they are."""
    if values.dtype == object and column.dtype != object:
        column = column.astype(object)
    column[places] = values
    return column
