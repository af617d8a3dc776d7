"""Which rows end tick, volume and dollar bars."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tickmesh_tickstore.queries.numbers import absolute

if TYPE_CHECKING:
    import numpy.typing as npt

    from tickmesh_tickstore.queries.numbers import Numbers, NumberType

__all__ = ["BLOCK_ROWS", "AmountRule", "Ends", "TickRule"]

BLOCK_ROWS = 65_536
"""Rows of a block, where the rule allows so many."""

_LEAST_BLOCK_ROWS = 256
_SAFE = 1 << 62
_PARTS = 1 << 46
_TOLERANCE = Decimal(10) ** -9


class Ends(Protocol):
    """A rule that ends bars by what their rows amount to."""

    @property
    def block_rows(self) -> int:
        """Rows that `closing` may be given at once."""
        ...

    def amounts(self, prices: Numbers, sizes: Numbers | None) -> Numbers:
        """What each row counts."""
        ...

    def closing(
        self, amounts: Numbers, starts: npt.NDArray[np.intp], carried: Numbers
    ) -> npt.NDArray[np.bool_]:
        """Which rows end a bar.

        Args:
            amounts: What each row counts, run after run.
            starts: Where the runs begin: rows of one symbol and session.
            carried: What the open bar at the beginning of each run amounts to.
        """
        ...


class TickRule:
    """Every `count`-th row of a run ends a bar."""

    block_rows = BLOCK_ROWS

    def __init__(self, count: int) -> None:
        self._count = count

    def amounts(self, prices: Numbers, sizes: Numbers | None) -> Numbers:
        """One each."""
        del sizes
        return np.ones(len(prices), np.int64)

    def closing(
        self, amounts: Numbers, starts: npt.NDArray[np.intp], carried: Numbers
    ) -> npt.NDArray[np.bool_]:
        """See `Ends`."""
        lengths = np.diff(starts, append=len(amounts))
        before = np.repeat(carried - starts, lengths)
        ends: npt.NDArray[np.bool_] = (np.arange(1, len(amounts) + 1) + before) % self._count == 0
        return ends


class AmountRule:
    """The row that brings a bar to a threshold ends it; the next bar begins at nothing.

    Amounts are counted without their signs. Where the types are exact so is the rule. Doubles are
    counted in 2^-46ths of the threshold, and a bar is full at one part in a billion below it: ten
    times 0.1 is 1, and no bar depends on the order in which rounded numbers were added.
    """

    def __init__(self, threshold: float, *, price: NumberType | None, size: NumberType) -> None:
        """Takes the threshold, and the numbers whose product (or which alone) it bounds."""
        numbers = size if price is None else price.product(size)
        self._price, self._size = price, size
        self._width = threshold
        # The shortest text of a double is what was meant: 0.1 is one tenth.
        wanted = Decimal(repr(threshold))
        if numbers.scale is None:
            self._threshold = math.ceil(_PARTS * (1 - _TOLERANCE))
        else:
            self._threshold = max(1, math.ceil(wanted.scaleb(numbers.scale)))

    @property
    def block_rows(self) -> int:
        """So few that their amounts add up within 64 bits, if that leaves a block."""
        rows = min(BLOCK_ROWS, _SAFE // self._threshold)
        return rows if rows >= _LEAST_BLOCK_ROWS else BLOCK_ROWS

    def amounts(self, prices: Numbers, sizes: Numbers | None) -> Numbers:
        """See `Ends`; none is more than the threshold, since that ends a bar by itself."""
        assert sizes is not None, "a rule about sizes is made for a size column"
        counted = sizes
        if self._price is not None:
            counted = self._price.products(prices, self._size, sizes)
        counted = absolute(counted)
        if counted.dtype == np.float64:
            with np.errstate(over="ignore"):
                share = np.minimum(counted / self._width, 1.0)
            parts: Numbers = np.rint(share * _PARTS).astype(np.int64)
            return parts
        return self._bounded(counted)

    def _bounded(self, counted: Numbers) -> Numbers:
        if self._threshold < _SAFE // _LEAST_BLOCK_ROWS:
            return np.minimum(counted, self._threshold).astype(np.int64)
        bounded: Numbers = np.minimum(counted.astype(object), self._threshold)
        return bounded

    def closing(
        self, amounts: Numbers, starts: npt.NDArray[np.intp], carried: Numbers
    ) -> npt.NDArray[np.bool_]:
        """See `Ends`."""
        count = len(amounts)
        if amounts.dtype == object:
            carried = carried.astype(object)
        through = np.cumsum(amounts)
        before = through - amounts
        # Where a bar ends that begins at each row, were there no other run behind its own.
        ending = np.searchsorted(through, before + self._threshold).tolist()
        firsts = np.searchsorted(through, before[starts] + (self._threshold - carried))
        stops = np.append(starts[1:], count)
        ends = np.zeros(count, np.bool_)
        reached = firsts < stops
        found: list[int] = []
        for row, stop in zip(firsts[reached].tolist(), stops[reached].tolist(), strict=True):
            # A step a bar, not a row.
            place = row
            while place < stop:
                found.append(place)
                place = ending[place + 1] if place + 1 < count else count
        ends[found] = True
        return ends
