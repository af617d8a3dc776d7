"""The as-of join: every left row with the right row in force at its event time.

A left join. Of right rows with one symbol and one event time the last committed counts. A row
without an event time or, where symbols have to agree, without a symbol matches nothing; a left one
is kept all the same, with nulls beside it.

How it is done: the instants of the right rows are ranked, and each right row becomes one integer of
symbol and rank. These integers, sorted, answer any number of left rows with one binary search each;
left rows are looked up symbol by symbol, so that neighbouring searches touch neighbouring memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from tickmesh_tickstore.domain.errors import InvalidArgumentError
from tickmesh_tickstore.queries.symbol_codes import SymbolCodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

__all__ = [
    "Direction",
    "ExactMatches",
    "JoinKeys",
    "Matching",
    "RightRows",
    "asof_join",
    "common_unit_ns",
]

_NS_PER_UNIT = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}
_NONE = -1


class Direction(StrEnum):
    """Which right row is taken."""

    BACKWARD = "backward"
    FORWARD = "forward"
    NEAREST = "nearest"


class ExactMatches(StrEnum):
    """Whether rows of the very same event time match."""

    ALLOWED = "allowed"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """What makes a right row match.

    Attributes:
        direction: The last right row at or before the left one's event time, the first at or after
            it, or whichever is nearer; of two as near, the one before.
        exact: Whether equal event times match.
        tolerance_ns: How far apart the event times may be, inclusive; `None` for any distance.
    """

    direction: Direction = Direction.BACKWARD
    exact: ExactMatches = ExactMatches.ALLOWED
    tolerance_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinKeys:
    """The columns that rows are matched by.

    Attributes:
        event_time: Name of the event time column.
        symbol: Name of the column that has to agree; `None` where nothing has.
    """

    event_time: str
    symbol: str | None


class RightRows:
    """The rows that are looked up, ready for any number of left rows.

    Attributes:
        rows: The rows as they were given, in one piece.
        unit_ns: The unit in which event times are compared, nanoseconds.
    """

    def __init__(self, rows: pa.Table, keys: JoinKeys, *, unit_ns: int) -> None:
        """Takes rows ordered by event time and, of one instant, as they were committed.

        Args:
            rows: The rows; those without an event time come last.
            keys: The columns to match by.
            unit_ns: The unit in which event times are compared, nanoseconds.

        Raises:
            InvalidArgumentError: An event time cannot be said in that unit.
        """
        self.rows = rows.unify_dictionaries().combine_chunks()
        self.unit_ns = unit_ns
        self._codes = SymbolCodes()
        times, is_timed = _times(self.rows.column(keys.event_time), unit_ns)
        codes = (
            np.zeros(len(times), np.int32)
            if keys.symbol is None
            else _joined_codes(self._codes.of, self.rows.column(keys.symbol))
        )
        usable = np.flatnonzero(is_timed & (codes >= 0))
        if len(usable) < len(times):
            times, codes = times[usable], codes[usable]
        # Ordered by time: an instant's rank is the number of changes before it.
        changes = np.empty(len(times), bool)
        changes[:1] = True
        np.not_equal(times[1:], times[:-1], out=changes[1:])
        self._instants = times[changes]
        self._width = len(self._instants) + 1
        places = codes.astype(np.int64) * self._width + (np.cumsum(changes) - 1)
        order = _stable_order(codes)
        places = places[order]
        # Of equal ones the last one stays: it was committed last.
        stays = np.empty(len(places), bool)
        stays[-1:] = True
        np.not_equal(places[1:], places[:-1], out=stays[:-1])
        self._places = places[stays]
        self._row_of = usable[order[stays]]

    def codes_of(self, column: pa.Array[Any]) -> NDArray[np.int32]:
        """The symbol of each left row as a code; -1 where no right row has it."""
        return self._codes.known(column)

    def match(
        self, codes: NDArray[np.int32], times: NDArray[np.int64], matching: Matching
    ) -> NDArray[np.int64]:
        """The right row of each left row, by its number; -1 where none matches.

        Args:
            codes: The left rows' symbols; -1 matches nothing. Best in ascending order.
            times: Their event times in the unit of comparison.
            matching: What matches.
        """
        if not len(self._places):
            return np.full(len(times), _NONE, np.int64)
        allowed = matching.exact is ExactMatches.ALLOWED
        tolerance = None if matching.tolerance_ns is None else matching.tolerance_ns // self.unit_ns
        before = after = None
        if matching.direction is not Direction.FORWARD:
            ranks = np.searchsorted(self._instants, times, side="right" if allowed else "left") - 1
            before = self._found_before(codes, ranks)
        if matching.direction is not Direction.BACKWARD:
            ranks = np.searchsorted(self._instants, times, side="left" if allowed else "right")
            after = self._found_after(codes, ranks)
        if before is None or after is None:
            found = after if before is None else before
            assert found is not None
            if tolerance is not None:
                found = np.where(self._distance(found, times) <= tolerance, found, _NONE)
        else:
            gap_before, gap_after = self._distance(before, times), self._distance(after, times)
            nearer = gap_before <= gap_after
            found = np.where(nearer & (before != _NONE) | (after == _NONE), before, after)
            if tolerance is not None:
                gap = np.minimum(gap_before, gap_after)
                found = np.where(gap <= tolerance, found, _NONE)
        return np.where(found == _NONE, _NONE, self._row_of[found])

    def _found_before(
        self, codes: NDArray[np.int32], ranks: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """The place of the last one of each symbol up to a rank."""
        firsts = codes.astype(np.int64) * self._width
        found = np.searchsorted(self._places, firsts + ranks, side="right") - 1
        return np.where((codes >= 0) & (found >= 0) & (self._places[found] >= firsts), found, _NONE)

    def _found_after(self, codes: NDArray[np.int32], ranks: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the first one of each symbol from a rank on."""
        firsts = codes.astype(np.int64) * self._width
        found = np.searchsorted(self._places, firsts + ranks, side="left")
        within = np.minimum(found, len(self._places) - 1)
        same = (found < len(self._places)) & (self._places[within] < firsts + self._width)
        return np.where((codes >= 0) & same, found, _NONE)

    def _distance(self, found: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.uint64]:
        """How far apart in time; the greatest number where nothing was found."""
        instants = self._instants[self._places[found] % self._width]
        # The difference of two of 64 bits may need 64 without a sign; it wraps to just that.
        gap = np.where(instants > times, instants - times, times - instants).astype(np.uint64)
        return np.where(found == _NONE, np.uint64(2**64 - 1), gap)


def asof_join(
    left: Iterable[pa.RecordBatch],
    right: RightRows,
    matching: Matching,
    *,
    keys: JoinKeys,
) -> Iterator[tuple[pa.RecordBatch, pa.Array[Any]]]:
    """Finds the right row of every left row, batch by batch, in the order they come.

    Args:
        left: The left rows; fastest in order of event time.
        right: The rows to look up.
        matching: What matches.
        keys: The left's columns to match by.

    Yields:
        Each left batch, and the numbers of its rows' right rows, null where there is none.

    Raises:
        InvalidArgumentError: An event time cannot be said in that unit.
    """
    for batch in left:
        times, is_timed = _times(batch.column(keys.event_time), right.unit_ns)
        if keys.symbol is None:
            codes = np.zeros(len(times), np.int32)
        else:
            codes = right.codes_of(batch.column(keys.symbol))
        codes = np.where(is_timed, codes, np.int32(_NONE))
        order = _stable_order(codes)
        found = np.empty(len(times), np.int64)
        found[order] = right.match(codes[order], times[order], matching)
        yield batch, pa.array(found, mask=found == _NONE)


def common_unit_ns(left: pa.TimestampType[Any, Any], right: pa.TimestampType[Any, Any]) -> int:
    """The finer of two timestamp types' units, nanoseconds: both can be compared in it exactly.

    Raises:
        InvalidArgumentError: Only one of them has a time zone.
    """
    if (left.tz is None) != (right.tz is None):
        raise InvalidArgumentError(
            f"event times of type {left} and {right} cannot be compared: one has no time zone",
            metadata={"left": str(left), "right": str(right)},
        )
    return min(_NS_PER_UNIT[left.unit], _NS_PER_UNIT[right.unit])


def _times(column: Any, unit_ns: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Event times in a unit that is as fine or finer, and which of them are there."""
    factor = _NS_PER_UNIT[column.type.unit] // unit_ns
    numbers: Any = column.cast(pa.int64())
    is_timed = np.ones(len(numbers), bool)
    if numbers.null_count:
        is_timed = numbers.is_valid().to_numpy(zero_copy_only=False)
        numbers = numbers.fill_null(0)
    times: NDArray[np.int64] = numbers.to_numpy()
    if factor > 1 and len(times):
        if max(abs(int(times.min())), abs(int(times.max()))) > (2**63 - 1) // factor:
            raise InvalidArgumentError(
                f"an event time of type {column.type} is beyond what the other side's unit can "
                "say: ask for a smaller range",
                metadata={"type": str(column.type)},
            )
        times = times * factor
    return times, is_timed


def _stable_order(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    """The rows by code, as they came within one."""
    if len(codes) and codes.min() >= -(1 << 15) and codes.max() < 1 << 15:
        # Sixteen bits are sorted by radix, several times faster.
        return np.argsort(codes.astype(np.int16), kind="stable")
    return np.argsort(codes, kind="stable")


def _joined_codes(codes_of: Any, column: pa.ChunkedArray[Any]) -> NDArray[np.int32]:
    parts = [codes_of(chunk) for chunk in column.chunks]
    return np.concatenate(parts) if parts else np.empty(0, np.int32)
