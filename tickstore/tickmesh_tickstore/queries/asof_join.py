"""The as-of join: every left row with the right row in force at its event time.

A left join. Of right rows with one symbol and one event time the last committed counts. A row
without an event time or, where symbols have to agree, without a symbol matches nothing; a left one
is kept all the same, with nulls beside it.

How it is done: the right rows' event times are laid out symbol by symbol, each in order; the left
rows of a batch are put in order of their symbols too, and each symbol's are found by one vectorised
binary search. Where there are many symbols, left batches are joined until there is enough for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import InvalidArgumentError
from tickmesh_tickstore.queries.symbol_codes import SymbolCodes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
_ROWS_OF_A_SYMBOL = 16
_MOST_ROWS = 1 << 20


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

    def __init__(self, rows: pa.Table, matching: Matching, *, keys: JoinKeys, unit_ns: int) -> None:
        """Takes rows ordered by event time and, of one instant, as they were committed.

        Args:
            rows: The rows; those without an event time come last.
            matching: What matches.
            keys: The columns to match by.
            unit_ns: The unit in which event times are compared, nanoseconds.

        Raises:
            InvalidArgumentError: An event time cannot be said in that unit.
        """
        self.rows = rows.unify_dictionaries().combine_chunks()
        self.unit_ns = unit_ns
        self._matching = matching
        self._symbols = SymbolCodes()
        times, is_timed = _times(self.rows.column(keys.event_time), unit_ns)
        codes = np.zeros(len(times), np.int32)
        if keys.symbol is not None and len(times):
            codes = np.concatenate(
                [self._symbols.of(chunk) for chunk in self.rows.column(keys.symbol).chunks]
            )
        order = _stable_order(codes)
        if is_timed is not None or (len(codes) and codes.min() < 0):
            usable = codes >= 0 if is_timed is None else is_timed & (codes >= 0)
            order = order[usable[order]]
            codes = codes[usable]
        counts = np.bincount(codes)
        times = times[order]
        if matching.direction is not Direction.BACKWARD:
            # Looking forward finds the first of equal instants: only the last one may be there.
            codes = np.repeat(np.arange(len(counts)), counts)
            stays = np.ones(len(times), bool)
            stays[:-1] = (times[1:] != times[:-1]) | (codes[1:] != codes[:-1])
            times, order, counts = times[stays], order[stays], np.bincount(codes[stays])
        self._times, self._rows_of = times, order
        self._starts = [0, *np.cumsum(counts).tolist()]

    @property
    def symbol_count(self) -> int:
        """How many symbols there are, 1 where they do not matter."""
        return len(self._starts) - 1

    def codes_of(self, column: pa.Array[Any]) -> NDArray[np.int32]:
        """The symbol of each left row as a code; -1 where no right row has it."""
        return self._symbols.known(column)

    def match(self, codes: NDArray[np.int32], times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The right row of each left row, by its number; -1 where none matches.

        Args:
            codes: The left rows' symbols; -1 matches nothing.
            times: Their event times in the unit of comparison; fastest when they ascend.
        """
        order = _stable_order(codes)
        codes, times = codes[order], times[order]
        found = np.full(len(times), _NONE, np.int64)
        begins = [0, *(np.flatnonzero(codes[1:] != codes[:-1]) + 1).tolist(), len(codes)]
        for begin, end in pairwise(begins):
            code = int(codes[begin]) if end else _NONE
            known = 0 <= code < self.symbol_count
            start, stop = self._starts[code : code + 2] if known else (0, 0)
            if start < stop:
                places = self._search(self._times[start:stop], times[begin:end])
                rows = self._rows_of[start:stop][places]
                found[order[begin:end]] = np.where(places == _NONE, _NONE, rows)
        return found

    def _search(self, instants: NDArray[np.int64], times: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of the instant that each time is matched with; -1 for none."""
        direction = self._matching.direction
        allowed = self._matching.exact is ExactMatches.ALLOWED
        before = after = np.empty(0, np.int64)
        if direction is not Direction.FORWARD:
            before = np.searchsorted(instants, times, side="right" if allowed else "left") - 1
        if direction is not Direction.BACKWARD:
            after = np.searchsorted(instants, times, side="left" if allowed else "right")
            after[after == len(instants)] = _NONE
        if direction is Direction.BACKWARD:
            found = before
        elif direction is Direction.FORWARD:
            found = after
        else:
            nearer = _distance(before, instants, times) <= _distance(after, instants, times)
            found = np.where(nearer & (before != _NONE) | (after == _NONE), before, after)
        if self._matching.tolerance_ns is None:
            return found
        tolerance = self._matching.tolerance_ns // self.unit_ns
        return np.where(_distance(found, instants, times) <= tolerance, found, _NONE)


def _distance(
    places: NDArray[np.int64], instants: NDArray[np.int64], times: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """How far apart in time; the greatest number for no place."""
    found = instants[places]
    # The difference of two of 64 bits may need 64 without a sign; it wraps to just that.
    gap = np.where(found > times, found - times, times - found).astype(np.uint64)
    return np.where(places == _NONE, np.uint64(2**64 - 1), gap)


def asof_join(
    left: Iterable[pa.RecordBatch], right: RightRows, *, keys: JoinKeys
) -> Iterator[tuple[pa.RecordBatch, pa.Array[Any]]]:
    """Finds the right row of every left row, in the order they come.

    Args:
        left: The left rows; fastest in order of event time.
        right: The rows to look up.
        keys: The left's columns to match by.

    Yields:
        Each left batch, and the numbers of its rows' right rows, null where there is none.

    Raises:
        InvalidArgumentError: An event time cannot be said in the unit of comparison.
    """
    enough = min(_ROWS_OF_A_SYMBOL * right.symbol_count, _MOST_ROWS)
    waiting: list[pa.RecordBatch] = []
    rows = 0
    for batch in left:
        waiting.append(batch)
        rows += batch.num_rows
        if rows >= enough:
            yield from _matched(waiting, right, keys)
            waiting, rows = [], 0
    yield from _matched(waiting, right, keys)


def _matched(
    batches: Sequence[pa.RecordBatch], right: RightRows, keys: JoinKeys
) -> Iterator[tuple[pa.RecordBatch, pa.Array[Any]]]:
    codes: list[NDArray[np.int32]] = []
    times: list[NDArray[np.int64]] = []
    for batch in batches:
        instants, is_timed = _times(batch.column(keys.event_time), right.unit_ns)
        places = np.zeros(len(instants), np.int32)
        if keys.symbol is not None:
            places = right.codes_of(batch.column(keys.symbol))
        codes.append(places if is_timed is None else np.where(is_timed, places, np.int32(_NONE)))
        times.append(instants)
    if not batches:
        return
    found = right.match(np.concatenate(codes), np.concatenate(times))
    start = 0
    for batch in batches:
        part = found[start : start + batch.num_rows]
        start += batch.num_rows
        yield batch, pa.array(part, mask=part == _NONE)


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


def _times(column: Any, unit_ns: int) -> tuple[NDArray[np.int64], NDArray[np.bool_] | None]:
    """Event times in a unit that is as fine or finer; which are there, `None` where all are."""
    factor = _NS_PER_UNIT[column.type.unit] // unit_ns
    numbers: Any = column.cast(pa.int64())
    is_timed = None
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
    # Arrow counts where there are few values, several times faster than any comparing sort.
    order: NDArray[np.int64] = pc.array_sort_indices(pa.array(codes)).to_numpy().view(np.int64)
    return order
