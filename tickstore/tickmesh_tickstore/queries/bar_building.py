"""One pass over the rows of a stream: which bars are open, and which are ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tickmesh_tickstore.queries.bar_columns import NEVER, BarColumns, OpenBars
from tickmesh_tickstore.queries.numbers import summed
from tickmesh_tickstore.queries.sessions import SessionTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy.typing as npt

    from tickmesh_tickstore.queries.bar_blocks import Symbols, TickBlock
    from tickmesh_tickstore.queries.bar_ends import Ends
    from tickmesh_tickstore.queries.numbers import Numbers

__all__ = ["Building", "Clock", "EpochClock"]

_RADIX = 1 << 16


class EpochClock:
    """Bars of one width since the epoch, or one place for ever."""

    def __init__(self, width: int | None) -> None:
        self._width = width

    def places(
        self, times: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_] | None]:
        """Where times lie; all of them do."""
        if self._width is None:
            return np.zeros(len(times), np.int64), None
        return times // self._width, None

    def labels(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The first instants of places."""
        assert self._width is not None
        return places * self._width


Clock = EpochClock | SessionTable


class Building:
    """One pass over the rows: what is open, and what is ended."""

    def __init__(
        self,
        symbols: Symbols,
        clock: Clock,
        ends: Ends | None,
        products: Callable[[Numbers, Numbers], Numbers],
    ) -> None:
        """Takes what ends bars but the clock, and what multiplies prices by sizes."""
        self.symbols = symbols
        self.clock = clock
        self._ends = ends
        self._products = products
        self._open = OpenBars()
        self._last_time: int | None = None

    def ended(self, blocks: Iterable[TickBlock]) -> Iterator[BarColumns]:
        """Bars that nothing changes any more, in order."""
        for block in blocks:
            self._require_order(block)
            places, inside = self.clock.places(block.times)
            if inside is None or inside.all():
                yield from self._after(block, places)
            elif inside.any():
                yield from self._after(block.where(inside), places[inside])
        rest = self._open.take_before(NEVER)
        if rest is not None:
            yield self._ordered(rest)

    def _after(self, block: TickBlock, places: npt.NDArray[np.int64]) -> Iterator[BarColumns]:
        now = int(places[-1])
        bars = self._bars(block, places)
        # The first bar of a symbol may go on with the one that is open.
        first = np.flatnonzero(np.diff(bars.symbol, prepend=-1))
        matching, earlier = self._open.take_matching(bars.symbol[first], bars.place[first])
        if earlier is not None:
            bars.continue_with(first[matching], earlier)
        past = self._open.take_before(now)
        is_open = (bars.place == now) & (bars.closed_by == NEVER)
        self._open.hold(bars.take(is_open))
        ended = bars.take(~is_open)
        joined = BarColumns.joined([part for part in (past, ended) if part is not None])
        if len(joined):
            yield self._ordered(joined)

    def _bars(self, block: TickBlock, places: npt.NDArray[np.int64]) -> BarColumns:
        """The bars of a block by itself, by symbol and time."""
        order = _by_symbol(block.symbols, len(self.symbols))
        if order is not None:
            places, times = places[order], block.times[order]
            symbols, prices = block.symbols[order], block.prices[order]
            sizes = None if block.sizes is None else block.sizes[order]
        else:
            times, symbols, prices, sizes = block.times, block.symbols, block.prices, block.sizes
        begins = np.empty(len(times), np.bool_)
        begins[0] = True
        begins[1:] = (symbols[1:] != symbols[:-1]) | (places[1:] != places[:-1])
        closes = amounts = None
        if self._ends is not None:
            amounts = self._ends.amounts(prices, sizes)
            runs = np.flatnonzero(begins)
            carried = self._open.amounts(symbols[runs], places[runs])
            closes = self._ends.closing(amounts, runs, carried)
            begins[1:] |= closes[:-1]
        starts = np.flatnonzero(begins)
        lasts = np.append(starts[1:], len(times)) - 1
        count = len(starts)
        nothing: Numbers = np.zeros(count, np.int64)
        closed_by = np.full(count, NEVER)
        if closes is not None:
            full = closes[lasts]
            closed_by[full] = lasts[full] if order is None else order[lasts[full]]
        return BarColumns(
            symbol=symbols[starts],
            place=places[starts],
            label=times[starts],
            closed_by=closed_by,
            open=prices[starts],
            high=np.maximum.reduceat(prices, starts),
            low=np.minimum.reduceat(prices, starts),
            close=prices[lasts],
            trades=lasts - starts + 1,
            volume=nothing if sizes is None else summed(sizes, starts),
            notional=nothing if sizes is None else summed(self._products(prices, sizes), starts),
            amount=nothing if amounts is None else summed(amounts, starts),
        )

    def _ordered(self, bars: BarColumns) -> BarColumns:
        """By place, then as they were closed, then by symbol."""
        ranks = self.symbols.ranks()[bars.symbol] if len(self.symbols) else bars.symbol
        return bars.take(np.lexsort((ranks, bars.closed_by, bars.place)))

    def _require_order(self, block: TickBlock) -> None:
        times = block.times
        before = times[0] if self._last_time is None else self._last_time
        if times[0] < before or bool((times[1:] < times[:-1]).any()):
            raise ValueError("bars are built from rows in order of event time")
        self._last_time = int(times[-1])


def _by_symbol(symbols: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.intp] | None:
    """The order by symbol, else as it is; `None` where that is the order already."""
    if symbols.min() == symbols.max():
        return None
    # Sixteen bits are sorted by radix, many times as fast.
    return np.argsort(symbols.astype(np.uint16) if count <= _RADIX else symbols, kind="stable")
