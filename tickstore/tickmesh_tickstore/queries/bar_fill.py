"""Bars that stand for time without a row, between the bars of a symbol."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from tickmesh_tickstore.domain.errors import LimitExceededError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from tickmesh_tickstore.queries.bar_columns import BarColumns
    from tickmesh_tickstore.queries.numbers import Numbers

__all__ = ["Filler"]

_ROWS = 65_536


class Filler:
    """Puts bars before each ended one for the places its symbol had no row in."""

    def __init__(self, enabled: bool, *, previous: bool, limit: int) -> None:  # noqa: FBT001 - one thing
        """Takes whether to, whether prices are the close before (or anything), and a bound."""
        self._enabled = enabled
        self._previous = previous
        self._left = limit
        self._limit = limit
        self._places: npt.NDArray[np.int64] = np.zeros(0, np.int64)
        self._closes: Numbers | None = None
        self._known = np.zeros(0, np.bool_)

    def filled(self, bars: BarColumns) -> Iterator[tuple[BarColumns, npt.NDArray[np.bool_] | None]]:
        """The bars with those before them, in pieces, and which of them have rows.

        Raises:
            LimitExceededError: More bars without rows than the limit, all together.
        """
        if not self._enabled:
            yield bars, None
            return
        gaps, closes = self._before(bars)
        wanted = int(gaps.sum())
        if wanted > self._left:
            raise LimitExceededError(
                f"more than {self._limit} empty bars would have to be filled in: ask for wider "
                "bars or a smaller range, or for empty bars to be omitted",
                metadata={"limit": str(self._limit)},
            )
        self._left -= wanted
        ends = np.cumsum(gaps + 1)
        for start in range(0, int(ends[-1]), _ROWS):
            rows = np.arange(start, min(start + _ROWS, int(ends[-1])))
            bar = np.searchsorted(ends, rows, side="right")
            ahead = ends[bar] - 1 - rows
            real = ahead == 0
            piece = bars.take(bar)
            piece.place = piece.place - ahead
            if self._previous:
                before = closes[bar]
                piece.open = np.where(real, piece.open, before)
                piece.high = np.where(real, piece.high, before)
                piece.low = np.where(real, piece.low, before)
                piece.close = np.where(real, piece.close, before)
            yield (
                replace(
                    piece,
                    trades=np.where(real, piece.trades, 0),
                    volume=np.where(real, piece.volume, 0),
                    notional=np.where(real, piece.notional, 0),
                ),
                real,
            )

    def _before(self, bars: BarColumns) -> tuple[npt.NDArray[np.int64], Numbers]:
        """How many places each bar's symbol had no row in just before, and its close then."""
        order = np.argsort(bars.symbol, kind="stable")
        symbols, places, closes = bars.symbol[order], bars.place[order], bars.close[order]
        held = self._grown(int(symbols[-1]) + 1, closes.dtype)
        first = np.diff(symbols, prepend=-1) != 0
        places_before = np.roll(places, 1)
        closes_before = np.roll(closes, 1)
        known = self._known[symbols[first]]
        places_before[first] = np.where(known, self._places[symbols[first]], places[first] - 1)
        if held.dtype != closes_before.dtype:
            closes_before, held = closes_before.astype(object), held.astype(object)
        closes_before[first] = np.where(known, held[symbols[first]], closes[first])
        last = np.append(first[1:], True)
        self._places[symbols[last]] = places[last]
        held[symbols[last]] = closes[last]
        self._closes = held
        self._known[symbols[last]] = True
        gaps = np.empty(len(order), np.int64)
        gaps[order] = places - places_before - 1
        back = np.empty_like(closes_before)
        back[order] = closes_before
        return gaps, back

    def _grown(self, count: int, dtype: np.dtype[Any]) -> Numbers:
        """The closes of the last bars, with room for so many symbols."""
        held = np.zeros(0, dtype) if self._closes is None else self._closes
        if count <= len(held):
            return held
        more = max(count, 2 * len(held)) - len(held)
        self._places = np.concatenate([self._places, np.zeros(more, np.int64)])
        self._known = np.concatenate([self._known, np.zeros(more, np.bool_)])
        return np.concatenate([held, np.zeros(more, held.dtype)])
