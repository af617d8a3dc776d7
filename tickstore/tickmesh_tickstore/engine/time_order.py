"""Rows by event time, as a bounded stream: only what overlaps in time is held at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tickmesh_tickstore.domain.errors import LimitExceededError
from tickmesh_tickstore.engine.batches import join_batches
from tickmesh_tickstore.engine.columns import ceiling_divide

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from tickmesh_tickstore.engine.chunk import TimeSpan
    from tickmesh_tickstore.engine.stored_rows import StoredRows

__all__ = ["in_time_order", "require_streamable"]

_EVER = (-(1 << 63), (1 << 63) - 1)


@dataclass(frozen=True, slots=True)
class _Run:
    """Rows by event time and, of one instant, by place of arrival.

    Attributes:
        batch: The rows.
        times: Their event times, in the column's unit.
        places: Their places in the order of arrival.
    """

    batch: pa.RecordBatch
    times: NDArray[np.int64]
    places: NDArray[np.int64]

    def slice(self, start: int, stop: int) -> _Run:
        return _Run(
            self.batch.slice(start, stop - start), self.times[start:stop], self.places[start:stop]
        )


def in_time_order(
    chosen: Sequence[StoredRows],
    read: Callable[[StoredRows], pa.RecordBatch],
    *,
    event_time: str,
    unit_ns: int,
    spans_known: bool,
    most_rows: int,
    about_rows: int = 65_536,
) -> Iterator[pa.RecordBatch]:
    """The wanted rows ordered by event time, ties as they arrived, rows without one last.

    Stored rows are read by the beginning of their time spans; whatever lies before the beginning of
    the next ones is in its final place and is given out. Rows of feeds that are a little out of
    order are therefore held for a little while, however long the dataset is.

    Args:
        chosen: The stored rows that may hold wanted ones, in order of arrival.
        read: Reads those of them that are wanted.
        event_time: Name of the event time column.
        unit_ns: Nanoseconds in one unit of it.
        spans_known: Whether the time spans are those of this column.
        most_rows: Rows that may be held at once, beside those read last.
        about_rows: Rows that are put in order at once, where so many are left.

    Raises:
        LimitExceededError: In mid-stream: more rows overlap in time.
    """
    spans = [_span(stored, known=spans_known) for stored in chosen]
    order = sorted(range(len(chosen)), key=lambda place: (spans[place][0], place))
    timeless: list[tuple[int, pa.RecordBatch]] = []
    held: _Run | None = None
    waiting: list[_Run] = []
    for at, place in enumerate(order):
        batch = read(chosen[place])
        if batch.num_rows and batch.column(event_time).null_count:
            is_timed = batch.column(event_time).is_valid()
            timeless.append((place, batch.filter(pc.invert(is_timed))))
            batch = batch.filter(is_timed)
        if batch.num_rows:
            waiting.append(_run(batch, event_time, place))
        last = at + 1 == len(order)
        count_held = 0 if held is None else len(held.times)
        count_waiting = sum(len(run.times) for run in waiting)
        # Sorting what is held again and again for a few rows more would never come to an end.
        enough = count_waiting >= min(max(about_rows, count_held), most_rows - count_held)
        if not waiting or not (last or enough):
            continue
        run = _merged(waiting if held is None else [held, *waiting])
        waiting = []
        final = len(run.times)
        if not last:
            following = order[at + 1]
            final = _rows_before(run, spans[following][0], following, unit_ns)
        if final:
            yield run.batch.slice(0, final)
        held = run.slice(final, len(run.times)) if final < len(run.times) else None
        _require_held(len(run.times) - final + _rows(timeless), most_rows)
    if held is not None:
        yield held.batch
    for _, batch in sorted(timeless, key=lambda pair: pair[0]):
        yield batch


def require_streamable(
    chosen: Sequence[StoredRows], *, spans_known: bool, most_rows: int, limit: int | None
) -> None:
    """See that all rows of some stored ones can be given in time order.

    Raises:
        LimitExceededError: More rows overlap in time than may be held at once.
    """
    spans = [_span(stored, known=spans_known) for stored in chosen]
    starts = sorted(range(len(chosen)), key=lambda place: spans[place][0])
    ends = sorted(range(len(chosen)), key=lambda place: spans[place][1])
    held = ended = given = 0
    for place in starts:
        while ended < len(ends) and spans[ends[ended]][1] < spans[place][0]:
            given += chosen[ends[ended]].row_count
            held -= chosen[ends[ended]].row_count
            ended += 1
        if limit is not None and given >= limit:
            return
        held += chosen[place].row_count
        _require_held(held, most_rows)


def _require_held(rows: int, most_rows: int) -> None:
    if rows > most_rows:
        raise LimitExceededError(
            f"{rows} rows or more overlap in time and have to be held at once because order by "
            f"time is asked, {most_rows} may be: ask for a smaller range, or for the order of "
            "arrival",
            metadata={"rows": str(rows), "limit": str(most_rows)},
        )


def _span(stored: StoredRows, *, known: bool) -> TimeSpan:
    if not known:
        return _EVER
    # Without a span no row has an event time: they come last.
    return stored.time_span or (_EVER[1], _EVER[1])


def _rows(batches: Sequence[tuple[int, pa.RecordBatch]]) -> int:
    return sum(batch.num_rows for _, batch in batches)


def _run(batch: pa.RecordBatch, event_time: str, place: int) -> _Run:
    times: NDArray[np.int64] = batch.column(event_time).cast(pa.int64()).to_numpy()
    return _Run(batch, times, np.arange(len(times)) + (place << 32))


def _merged(runs: Sequence[_Run]) -> _Run:
    """Several runs, of rows in any order, as one."""
    runs = sorted(runs, key=lambda run: int(run.places[0]))
    batch = join_batches([run.batch for run in runs])
    times = np.concatenate([run.times for run in runs])
    places = np.concatenate([run.places for run in runs])
    in_order = np.all(times[:-1] <= times[1:])
    arrived = np.all(places[:-1] <= places[1:])
    if in_order and arrived:
        return _Run(batch, times, places)
    order = np.argsort(times, kind="stable") if arrived else np.lexsort((places, times))
    return _Run(batch.take(order), times[order], places[order])


def _rows_before(run: _Run, start_ns: int, place: int, unit_ns: int) -> int:
    """How many rows come before all rows from an instant on that begin at a place of arrival."""
    start = ceiling_divide(start_ns, unit_ns)
    if start * unit_ns == start_ns and run.places.max() >> 32 < place:
        # Those of that very instant arrived earlier than whatever is still to be read of it.
        return int(np.searchsorted(run.times, start, side="right"))
    return int(np.searchsorted(run.times, start, side="left"))
