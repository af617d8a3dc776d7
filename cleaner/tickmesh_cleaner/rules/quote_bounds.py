"""`x-tick-quote-bounds`: a trade price beyond the quote in force by more than the spread.

Barndorff-Nielsen, Hansen, Lunde, Shephard, "Realized kernels in practice", Econometrics Journal 12
(2009), rule T4: delete entries with prices above the ask plus the spread, or below the bid minus
the spread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from tickmesh_cleaner.rules.memory import Cell
from tickmesh_cleaner.rules.quotes import QuoteFields
from tickmesh_cleaner.rules.rows import breach
from tickmesh_cleaner.rules.rule import Rule
from tickmesh_cleaner.rules.severity import REJECT_OR_FLAG, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tickmesh_cleaner.rules.memory import Memory
    from tickmesh_cleaner.rules.parameters import Parameters
    from tickmesh_cleaner.rules.rows import Booleans, Breach, Floats, Groups, Integers, Rows

Number = TypeVar("Number", np.float64, np.int64)

_NEVER = -(2**63)
_MOST_SECONDS = 86_400.0 * 7


class QuoteBounds(Rule):
    """A price outside [bid - spreads x spread, ask + spreads x spread] of the quote in force.

    A row that holds both sides is a quote and is in force from that row on, until the next quote of
    the symbol; a row that holds a price is judged by the quote in force, its own if it holds one.
    Crossed quotes are passed over. Without a quote, or with one that is too old, no verdict.
    """

    keyword = "x-tick-quote-bounds"
    remembers = True

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters)
        self._quote = QuoteFields(parameters)
        usual = [parameters.roles.price] if parameters.roles.price else []
        self._price = parameters.numeric_field("price", usual=usual)
        self._spreads = parameters.number("spreads", default=1.0, least=0)
        self._max_age_ns: int | None = None
        if parameters.given("max_age_seconds") is not None:
            seconds = parameters.number("max_age_seconds", above=0, most=_MOST_SECONDS)
            self._max_age_ns = round(seconds * 1e9)
            self._time = parameters.time_field("time")
        self.severity = parameters.severity(default=Severity.FLAG, allowed=REJECT_OR_FLAG)

    def cells(self) -> Mapping[str, Cell]:
        """The quote in force of each symbol, and its time."""
        return {
            "bid": Cell("<f8", np.nan),
            "ask": Cell("<f8", np.nan),
            "time": Cell("<i8", _NEVER),
        }

    def judge(self, rows: Rows, memory: Memory) -> Sequence[Breach]:
        """See `Rule.judge`."""
        groups = rows.groups()
        if not len(rows):
            return ()
        with np.errstate(invalid="ignore"):
            quoted = self._quote.quoted(rows) & (self._quote.spread(rows) >= 0)
        times = None if self._max_age_ns is None else rows.integers(self._time)
        if bool(quoted.all()):
            # Every row brings its own quote.
            bid, ask = rows.floats(self._quote.bid), rows.floats(self._quote.ask)
            self._remember(memory, groups, bid=bid, ask=ask, time=times)
            return self._breach(rows, bid, ask)
        latest = _latest_at(quoted[groups.order], groups)
        bid = _in_force(rows.floats(self._quote.bid), latest, groups, memory.cells["bid"])
        ask = _in_force(rows.floats(self._quote.ask), latest, groups, memory.cells["ask"])
        quote_time = None
        if times is not None and self._max_age_ns is not None:
            quote_time = _in_force(times, latest, groups, memory.cells["time"])
            # A quote that never was is not compared: its distance would leave 64 bits.
            known = quote_time != _NEVER
            age = np.where(known, times - np.where(known, quote_time, 0), 0)
            old = age > self._max_age_ns
            found = self._breach(rows, np.where(old, np.nan, bid), np.where(old, np.nan, ask))
        else:
            found = self._breach(rows, bid, ask)
        self._remember(memory, groups, bid=bid, ask=ask, time=quote_time)
        return found

    def _remember(
        self, memory: Memory, groups: Groups, *, bid: Floats, ask: Floats, time: Integers | None
    ) -> None:
        lasts = groups.order[groups.starts[1:] - 1]
        for name, values in (("bid", bid), ("ask", ask), ("time", time)):
            if values is not None:
                memory.cells[name][groups.slots] = values[lasts]

    def _breach(self, rows: Rows, bid: Floats, ask: Floats) -> Sequence[Breach]:
        prices = rows.floats(self._price)
        margin = self._spreads * (ask - bid)
        with np.errstate(invalid="ignore"):
            beyond: Booleans = (prices > ask + margin) | (prices < bid - margin)
        column = rows.column(self._price)
        return breach(
            "TICK_QUOTE_BOUNDS",
            beyond,
            lambda row: (
                f"{column[row]} is beyond the quote in force, {bid[row]:.10g} to {ask[row]:.10g}, "
                f"by more than {self._spreads:g} of its spreads"
            ),
        )


def _latest_at(marked: Booleans, groups: Groups) -> Integers:
    """For each place the last marked place of its symbol up to it; -1 where there is none."""
    places = np.where(marked, np.arange(len(marked)), -1)
    latest = np.maximum.accumulate(places)
    # What stands before a symbol's first place belongs to another symbol.
    latest[latest < groups.starts[groups.group_of]] = -1
    return latest


def _in_force(
    values: NDArray[Number], latest: Integers, groups: Groups, remembered: NDArray[Number]
) -> NDArray[Number]:
    """For each row the value at its latest marked row, else the one remembered of its symbol."""
    ordered = values[groups.order]
    found = np.where(latest >= 0, ordered[latest], remembered[groups.slots][groups.group_of])
    by_row: NDArray[Number] = np.empty_like(values)
    by_row[groups.order] = found
    return by_row
